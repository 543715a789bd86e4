"""A whole copy of a coordinator's folder in one file, and a folder made of it again."""
