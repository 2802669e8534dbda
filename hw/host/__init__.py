"""The host interface: registers over AXI4-Lite, images and results over AXI4-Stream."""
