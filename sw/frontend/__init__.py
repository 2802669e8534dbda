"""PyTorch models come in."""
