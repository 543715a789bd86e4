"""The coordinator's part in a sum that nobody can take apart: it carries messages, and learns the sum alone."""
