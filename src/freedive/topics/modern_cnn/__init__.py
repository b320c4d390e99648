"""The networks that made convolution famous, and batch normalisation (sections 8.1 to 8.8)."""
