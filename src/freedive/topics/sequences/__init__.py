"""Sequences, text and language models: sections 9.1 to 9.3 of the book."""
