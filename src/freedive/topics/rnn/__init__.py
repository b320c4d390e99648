"""Recurrent neural networks: sections 9.4 to 9.7 of the book."""
