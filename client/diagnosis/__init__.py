"""Whether everything is there that a round needs."""
