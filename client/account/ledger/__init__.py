"""The lifetime account of what a merchant's messages have told, on the merchant's own disk."""
