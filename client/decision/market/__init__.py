"""What the market does: level, trend and changes of what a shop sells, with how sure that is."""
