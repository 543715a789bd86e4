"""Every method of the comparison."""
