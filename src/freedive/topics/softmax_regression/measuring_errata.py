"""Formulas of section 4.1, and measures of section 4.3, that are wrong as printed."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import erratum
from freedive.core.metrics import Meter, accuracy

Evidence = Iterator[tuple[Any, ...]]


def as_printed(y_hat: Tensor, y: Tensor) -> float:
    """The number of right guesses as the book counts them: argmax where there are columns."""
    if y_hat.dim() > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(dim=1)
    return float((y_hat.type(y.dtype) == y).type(y.dtype).sum())


@erratum(
    "4.1.2",
    "for examples in rows, the gradient with respect to W is xᵀ(ŷ − y)",
    printed="W moves along x(y − ŷ)ᵀ, whose shapes do not fit",
    source="001_003_004 E14",
)
def rows_and_columns() -> Evidence:
    """A row of 4 numbers and one of 3 errors: the product as printed, and autograd's gradient."""
    x, y = torch.randn(1, 4), torch.tensor([[0.0, 1.0, 0.0]])
    W = torch.zeros(4, 3, requires_grad=True)
    y_hat = torch.softmax(x @ W, dim=1)
    error = (y - y_hat).detach()
    yield x.shape[1] == error.T.shape[0], False
    (gradient,) = torch.autograd.grad(-(y * y_hat.log()).sum(), W)
    yield gradient, -x.T @ error, 1e-6


@erratum(
    "4.3.2",
    "an accuracy is at most 1, whatever the shape of the outputs",
    printed="with one column of outputs, (n, 1) is compared with (n,): n² answers are counted",
    source="001_003_004 E42",
)
def one_column() -> Evidence:
    """Four examples, all of class 0, and one column of outputs."""
    y_hat, y = torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)
    yield as_printed(y_hat, y), 16.0
    yield accuracy(y_hat, y).item(), 1.0


@erratum(
    "4.3.2",
    "an accuracy is the mean over examples",
    printed="it is the mean over batches: the last 16 of 10,000 in 256s count 15.6 times",
    source="002a E57",
)
def last_batch() -> Evidence:
    """All right but the last 16: by batches, by examples, and as `Meter` has it."""
    right = torch.ones(10_000)
    right[-16:] = 0
    batches = right.split(256)
    yield torch.stack([b.mean() for b in batches]).mean().item(), 0.975
    yield right.mean().item(), 0.9984
    meter = Meter()
    for batch in batches:
        meter.add("val_acc", batch.mean(), len(batch))
    yield meter.means()["val_acc"], 0.9984
    yield (1 / len(batches) / len(batches[-1])) / (1 / len(right)), 15.625
