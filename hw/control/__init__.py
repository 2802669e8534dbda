"""Control of time steps: the controller and the register file."""
