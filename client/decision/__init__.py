"""From forecasts to decisions: what to order, whom to keep, what to offer."""
