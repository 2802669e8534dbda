"""A crossbar in plain logic and block RAM, behind the crossbar port: one chip's cells on an FPGA."""
