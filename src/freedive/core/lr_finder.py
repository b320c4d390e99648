"""Which learning rate to begin with: raise it step by step and watch the loss."""

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from freedive.core.board import ProgressBoard
from freedive.core.data import DataModule
from freedive.core.device import choose_device
from freedive.core.errors import DivergenceError, UsageError
from freedive.core.feed import Feed
from freedive.core.hyperparameters import Count, Positive, check_arguments
from freedive.core.loader import TensorLoader
from freedive.core.module import Module
from freedive.core.optimization import Optimization, lr_groups
from freedive.core.random import preserved_random_state

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY = 0.9  # of the running mean that smooths the losses
EXPLODED = 4.0  # times the lowest smoothed loss


@dataclass(frozen=True)
class LRSearch:
    """What a search for a learning rate saw.

    Attributes:
        lrs: the learning rate of each step, evenly spaced on a logarithmic axis.
        losses: the training loss at each, smoothed over about ten steps.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def suggestion(self) -> float:
        """The learning rate at which the loss falls most steeply."""
        # the first smoothed losses are means of too few to tell a fall from noise
        first = 1 + len(self.losses) // 10
        falls = {i: self.losses[i - 1] - self.losses[i] for i in range(first, len(self.losses))}
        return self.lrs[max(falls, key=falls.__getitem__, default=0)]

    def figure(self) -> "Figure":
        """The losses over the learning rates, with the suggestion marked."""
        from freedive.core.figures import curves_figure

        points = list(zip(self.lrs, self.losses, strict=True))
        figure = curves_figure({"loss": points}, "learning rate", "loss", xscale="log")
        axes = figure.axes[0]
        axes.axvline(self.suggestion, color="C1", label=f"suggestion {self.suggestion:.2g}")
        axes.legend()
        return figure


def find_lr(
    model: Module,
    data: DataModule,
    low: Positive = 1e-6,
    high: Positive = 10.0,
    steps: Count = 100,
    device: str = "auto",
) -> LRSearch:
    """Train for some steps while the learning rate grows from ``low`` to ``high``.

    It ends early when the loss explodes. Nothing is left changed: neither the model, nor the
    data's loaders, nor any random generator.

    Raises:
        UsageError: ``low`` is not below ``high``.
        DivergenceError: the very first loss is not finite.
    """
    check_arguments(find_lr, {"low": low, "high": high, "steps": steps})
    if low >= high:
        raise UsageError(f"low wants a number below high={high:g}, got {low:g}")
    lrs = [low * (high / low) ** (step / max(steps - 1, 1)) for step in range(steps)]
    place = choose_device(device)
    smoothed: list[float] = []
    with preserved_random_state(), unchanged(model), borrowed_loader(data) as loader:
        feed = Feed(loader, place, torch.initial_seed() % 2**63, limit=None)
        feed.refuse_empty("training")
        for loss in running_mean(_losses(model, feed, place, lrs)):
            smoothed.append(loss)
            if loss > EXPLODED * min(smoothed):
                break
    if not smoothed:
        raise DivergenceError("the first loss is not a finite number: look at the data, the loss")
    return LRSearch(tuple(lrs[: len(smoothed)]), tuple(smoothed))


def running_mean(values: Iterable[float]) -> Iterator[float]:
    """m ← βm + (1 − β)v after each value, divided by 1 − βᵗ: the start at zero has no weight."""
    mean = weight = 0.0
    for value in values:
        mean = MEMORY * mean + (1 - MEMORY) * value
        weight = MEMORY * weight + (1 - MEMORY)
        yield mean / weight


@contextmanager
def unchanged(model: Module) -> Iterator[None]:
    """Within, the model works on copies of its tensors; afterwards it is what it was."""
    tensors = [(t, t.data, t.grad) for t in chain(model.parameters(), model.buffers())]
    tables = [t for m in model.modules() for t in (vars(m), m._parameters, m._buffers)]
    kept = [(table, dict(table)) for table in tables]
    for tensor, values, _ in tensors:
        tensor.data, tensor.grad = values.clone(), None
    model.trainer, model.board = None, ProgressBoard(display=False)
    try:
        yield
    finally:
        for table, content in kept:
            table.clear()
            table.update(content)
        for tensor, values, grad in tensors:
            tensor.data, tensor.grad = values, grad


@contextmanager
def borrowed_loader(data: DataModule) -> Iterator[Iterable[Any]]:
    """The training batches, from a loader that is afterwards where it was."""
    loader = data.train_dataloader()
    own = getattr(loader, "generator", None)
    state = own.get_state() if own is not None else None
    try:
        yield copy.copy(loader) if isinstance(loader, TensorLoader) else loader
    finally:
        if own is not None:
            own.set_state(state)


def _losses(
    model: Module, feed: Feed, device: torch.device, lrs: Sequence[float]
) -> Iterator[float]:
    """The loss at a step with each learning rate, as long as it is finite."""
    optimization = Optimization(model.to(device).train(), device)
    batches = chain.from_iterable(feed.batches(epoch) for epoch in range(len(lrs)))
    for lr, batch in zip(lrs, batches, strict=False):
        for group in lr_groups(optimization.optim):
            group["lr"] = lr
        optimization.optim.zero_grad()
        loss = model.training_step([p.to(device) if isinstance(p, Tensor) else p for p in batch])
        value = loss.item()
        if not math.isfinite(value):
            return
        optimization.backward(loss)
        optimization.step()
        yield value
