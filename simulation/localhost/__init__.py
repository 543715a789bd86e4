"""A real federation on one machine."""
