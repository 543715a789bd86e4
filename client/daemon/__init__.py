"""The process that stays connected to a federation, and what it may be asked."""
