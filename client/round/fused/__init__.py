"""The private step in one pass over a core's cache: compiled where there is a compiler, and torch's numbers elsewhere."""
