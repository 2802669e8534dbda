"""The host's side of a chip: a driver over an abstract transport."""
