"""Who will buy, who is leaving, what that is worth, and whom to write to."""
