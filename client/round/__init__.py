"""A merchant's end of a round."""
