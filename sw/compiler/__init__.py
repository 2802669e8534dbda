"""From a network to a chip: the passes in order, and what they leave."""
