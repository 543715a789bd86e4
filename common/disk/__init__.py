"""Files that last: written whole, locked, and brought forward."""
