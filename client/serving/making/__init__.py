"""How an edition comes to be, in a process of its own."""
