"""What to order, when and from whom, and why."""
