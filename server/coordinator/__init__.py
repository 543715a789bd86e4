"""The process that holds the rounds of launches: invitations, sessions and their rounds, deliveries, in one loop."""
