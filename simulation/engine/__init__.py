"""The rounds of a whole federation, in one batch or message by message."""
