"""The commands of hansa-client that speak to a federation, or use what came from one."""
