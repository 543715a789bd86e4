"""`hansa-client trends`: what the market does."""


def trends() -> None:
    """Say what rises and falls."""
