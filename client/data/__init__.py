"""A merchant's own rows: reading them, and looking them over before anything is trained."""
