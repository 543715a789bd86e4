"""A whole copy of a merchant's folder in one file, and a folder made of it again."""
