"""A model at work: it predicts and does not learn."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def predicting(model: nn.Module) -> Iterator[None]:
    """Without dropout and without gradients; afterwards the model is in the mode it was in."""
    training, changed = model.training, any(part.training for part in model.modules())
    if changed:  # to set a mode costs as much as a small step, and texts are written token by token
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if changed:
            model.train(training)
