"""From forecasts to decisions: what to order and what it is worth. All of it is local."""
