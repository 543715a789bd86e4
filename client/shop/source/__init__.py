"""From files and databases to batches of raw rows: each row as it was written, with where it stands."""
