"""The addresses of the page: what is read from a request, and where it leads."""
