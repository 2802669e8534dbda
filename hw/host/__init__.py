"""What a host sees: registers behind AXI4-Lite, images and results as AXI4-Streams."""
