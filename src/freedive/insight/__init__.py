"""Looks into any nn.Module, whoever wrote it."""
