"""A learning curve, by a loop of its own."""

from collections.abc import Iterable

from torch import Tensor

from freedive.core.module import Module


def curve(model: Module, batches: Iterable[tuple[Tensor, Tensor]]) -> list[float]:
    """The losses of one pass over the batches, with the model's own optimizer."""
    optim, losses = model.configure_optimizers(), []
    for X, y in batches:
        optim.zero_grad()
        loss = model.loss(model(X), y)
        loss.backward()
        optim.step()
        losses.append(loss.item())
    return losses
