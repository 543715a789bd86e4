"""From the bytes of a merchant's files to a panel."""
