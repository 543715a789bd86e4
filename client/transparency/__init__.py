"""What left, and what it promises."""
