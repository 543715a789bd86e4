"""The process that serves: its door, its guard, its children."""
