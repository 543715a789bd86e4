"""From forecasts to decisions: what to do, with its reason and its money."""
