"""Linear regression (sections 3.1, 3.4 and 3.5): one affine unit, squared loss, minibatch SGD."""
