"""The simulation: device physics, the integer reference, and the Verilog in a simulator."""
