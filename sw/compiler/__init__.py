"""From a network to a chip: the passes in order, and their result."""
