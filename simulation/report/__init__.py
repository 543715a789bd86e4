"""The page that answers, and the pictures on it."""
