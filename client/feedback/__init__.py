"""Feedback: every forecast and proposal that was served, what came of it, and whether something drifts."""
