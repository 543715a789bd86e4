"""A sum over merchants that nobody can take apart."""
