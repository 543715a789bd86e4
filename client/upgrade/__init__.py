"""Put a newer version of hansa in place of this one, or leave everything as it was."""
