"""Convolution, pooling and LeNet (sections 7.1 to 7.6)."""
