"""A shop's own data: from the exports that it has to a history that can be trusted, and what follows from it alone."""
