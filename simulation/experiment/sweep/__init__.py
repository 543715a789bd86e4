"""Runs of one plan with every combination of some values."""
