"""The terminal's face. It knows the catalog, never a single topic."""
