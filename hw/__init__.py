"""The hardware, in Amaranth: the neural processing unit, its host interface, and their Verilog."""
