"""What a federation knows that a merchant who was not in it has not lived yet: a first Christmas, the first weeks."""
