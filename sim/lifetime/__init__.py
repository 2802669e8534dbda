"""Lifetime of a chip: search for its end of life, refresh."""
