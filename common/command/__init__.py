"""What the three programs share at their edge: exit codes, signals, one sentence for a mistake, JSON or words."""
