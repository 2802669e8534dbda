"""Boards: what a chip with crossbars in block memory needs to run on an FPGA, from pins and clock to the bitstream."""
