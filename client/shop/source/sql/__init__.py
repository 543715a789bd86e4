"""A table of an SQL database as a source: its address, its shape, its values, and how far it has been read."""
