"""From the exports that a shop has to its settings and its history: look, propose, ask, write, import."""
