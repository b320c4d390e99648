"""Attention: sections 11.1 to 11.6 of the book."""
