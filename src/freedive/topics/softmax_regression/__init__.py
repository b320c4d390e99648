"""Softmax regression (sections 4.1, 4.4 and 4.5): a linear classifier and its cross-entropy."""
