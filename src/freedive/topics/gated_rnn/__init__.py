"""Modern recurrent networks: sections 10.1 to 10.4 of the book."""
