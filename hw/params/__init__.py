"""Structural parameters, the plan of stages, and clock cycles that follow from them."""
