"""Runs and audits of a plan, and the folders that they leave."""
