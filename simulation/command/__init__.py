"""The commands of hansa-sim, one file for those that belong together."""
