"""Learning when to stop: trajectories, Q-learning, the rule of a chip."""
