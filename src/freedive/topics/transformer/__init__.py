"""Transformers: sections 11.7 to 11.9 of the book."""
