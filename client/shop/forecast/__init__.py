"""Forecasts for one shop from its own history: by day, week and month, without a plan of anybody and a federation."""
