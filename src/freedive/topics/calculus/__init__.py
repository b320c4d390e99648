"""Calculus, automatic differentiation and backpropagation (sections 2.4, 2.5 and 5.3)."""
