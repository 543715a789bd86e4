"""A merchant's part in a sum that nobody can take apart: what it holds on disk, and what it says in which order."""
