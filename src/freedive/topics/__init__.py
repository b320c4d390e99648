"""The book, one room a topic."""
