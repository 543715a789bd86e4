"""The plan: what binds a federation, as schema and as text."""
