"""The programmed chip as data, the description of its devices, and results."""
