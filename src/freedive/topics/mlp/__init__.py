"""Multilayer perceptrons and dropout (sections 5.1, 5.2 and 5.6)."""
