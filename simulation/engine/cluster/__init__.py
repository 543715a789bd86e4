"""Flower's own simulation on Ray: the apps that deployment runs, on every core of a cluster."""
