"""Exports: folders of Verilog, example benches, firmware."""
