"""The integer reference: bit by bit what the Verilog does."""
