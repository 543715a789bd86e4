"""Keys and certificates: who makes which is in README.md beside this file."""
