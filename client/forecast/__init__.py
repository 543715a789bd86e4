"""Forecasts at the merchant: the federation's model, and every method that it is held against."""
