"""What each view shows: pure functions from what an edition says to what a template names."""
