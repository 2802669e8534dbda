"""Cells and wires: effects, drift, IR drop."""
