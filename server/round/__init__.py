"""One round and what it leaves: answers, their sum, the next state."""
