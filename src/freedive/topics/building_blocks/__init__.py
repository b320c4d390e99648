"""Blocks, parameters, custom layers, files and devices (chapter 6)."""
