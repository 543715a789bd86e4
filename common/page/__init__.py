"""A page as both sides serve it: the style sheet, the script, and how such files are sent."""
