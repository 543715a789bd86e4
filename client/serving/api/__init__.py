"""REST under /api/v1: what is asked, and what is answered."""
