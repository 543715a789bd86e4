"""The mechanism of the guarantee: clip, lattice, noise, and the account of what they spend."""
