"""What things cost, as ratios of things that run side by side on this machine."""
