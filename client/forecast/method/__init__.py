"""What a merchant can say alone: simple, classic and learned methods."""
