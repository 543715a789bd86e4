"""Is a shop's history ready to forecast from? Problems, what each does to a forecast, and how to mend it."""
