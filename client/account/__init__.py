"""What a merchant allows, agreed to, answered and spent."""
