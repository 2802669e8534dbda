"""Training of the example networks."""
