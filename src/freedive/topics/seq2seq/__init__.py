"""Machine translation: sections 10.5 to 10.8 of the book."""
