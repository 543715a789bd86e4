"""Train the public warm models on invented demand of every kind that comes to mind: no data, no privacy spent."""
