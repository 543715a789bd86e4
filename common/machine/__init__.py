"""What a machine is like: its system, its device, and what Flower may do on it."""
