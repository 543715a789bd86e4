"""One process that answers machines and shows a shop owner what to do: whole editions, each answer from one of them."""
