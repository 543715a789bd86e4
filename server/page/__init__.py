"""A coordinator's page, and the numbers on it."""
