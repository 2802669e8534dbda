"""Learning early termination: trajectories, Q-learning, the rule of a chip."""
