"""The programmed chip as data, its devices' description, and results."""
