"""Generalization (sections 3.6, 3.7, 4.6 and 5.5): what a low training error is worth."""
