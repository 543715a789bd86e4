"""One origin of a plan: who takes part, and what they know."""
