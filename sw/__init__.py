"""The software: from a PyTorch network to a chip, and everything done with it."""
