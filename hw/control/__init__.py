"""What steps a run: the controller and the register file."""
