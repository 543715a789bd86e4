"""What whoever serves over HTTP has in common: how slow the other side may be."""
