"""Shelves lived through day by day: what stock costs, and how often it was enough."""
