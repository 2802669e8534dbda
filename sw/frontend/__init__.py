"""Import of PyTorch models."""
