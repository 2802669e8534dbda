"""The software: from a PyTorch network to a chip, and all that is done with it."""
