"""The processes of a coordinator."""
