"""Verilog against reference: in chunks, through the buses, results in files."""
