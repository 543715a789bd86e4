"""From a shop's history to the file that a federation's plan reads, and to a plan for shops of its kind."""
