"""What the methods of a run reached."""
