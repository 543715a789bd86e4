"""From raw rows to records: which export a table is, what its columns mean, and what becomes of each line."""
