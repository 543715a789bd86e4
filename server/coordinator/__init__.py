"""The loop that holds the rounds of a launch."""
