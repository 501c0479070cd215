"""Runs with the Python of the person's own environment: standard library and torch only."""
