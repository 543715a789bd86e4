"""A shop's days: what lies ahead of it, and what kind each day was."""
