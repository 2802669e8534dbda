"""What steps per run: the controller and the register file."""
