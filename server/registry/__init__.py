"""What a coordinator remembers."""
