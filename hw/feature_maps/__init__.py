"""Convolution, pooling and residual addition: memories of maps, and the units that walk windows over them."""
