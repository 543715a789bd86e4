"""The shop owner's page: server-made HTML that works without scripts, in the language of whoever looks."""
