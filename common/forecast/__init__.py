"""Forecasts, and how far they were from what happened."""
