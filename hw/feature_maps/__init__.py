"""Convolution, pooling and residual addition: memories of feature maps, and the blocks that slide windows over them."""
