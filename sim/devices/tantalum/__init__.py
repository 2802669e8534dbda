"""Tantalum-oxide cells: physics, pulses, ageing."""
