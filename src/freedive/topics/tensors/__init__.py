"""Tensors: making, joining, broadcasting, tables, linear algebra (sections 2.1 to 2.3)."""
