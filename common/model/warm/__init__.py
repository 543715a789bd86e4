"""Public models, trained on invented demand alone: where a federation may start, and what serves on day one."""
