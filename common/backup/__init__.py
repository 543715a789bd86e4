"""A whole copy of a folder in one file, with the SHA-256 of everything in it."""
