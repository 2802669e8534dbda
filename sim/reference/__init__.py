"""The integer reference, bit-identical to the Verilog."""
