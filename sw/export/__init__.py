"""What leaves the flow: folders of Verilog, example benches, firmware."""
