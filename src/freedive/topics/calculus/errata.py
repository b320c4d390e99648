"""Lines of sections 2.4, 2.5 and 5.1 that do not run as printed."""

from collections.abc import Iterator
from typing import Any

import torch

from freedive.catalog import erratum

Evidence = Iterator[tuple[Any, ...]]


def error_of(x: torch.Tensor, action: str) -> str:
    """The name of the error with which a method of x ends."""
    try:
        getattr(x, action)()
    except Exception as error:
        return type(error).__name__
    return "none"


@erratum(
    "2.5.1",
    "derivatives are of floating-point numbers: arange(4.0)",
    printed="requires_grad_ is asked of arange(4), which holds whole numbers",
    source="000 E5",
)
def whole_numbers() -> Evidence:
    """Both, and what the second gives."""
    yield error_of(torch.arange(4), "requires_grad_"), "RuntimeError"
    x = torch.arange(4.0).requires_grad_()
    (2 * torch.dot(x, x)).backward()
    yield x.grad, 4 * x.detach(), 0.0


@erratum(
    "2.4.5",
    "x³ − 1/x has no value at 0: the plot begins beside it",
    printed="it is plotted over arange(0, 3, 0.1), whose first point is 0",
    source="001_003_004 E36",
)
def pole() -> Evidence:
    """What the first point gives, and whether the others are finite."""
    x = torch.arange(0, 3, 0.1)
    y = x**3 - 1 / x
    yield y[0].item(), -torch.inf
    yield bool(y[1:].isfinite().all()), True


@erratum(
    "5.1.2",
    "a gradient is there once backward has been called",
    printed="ReLU's x.grad is plotted without a backward before it",
    source="001_003_004 E35",
)
def plotted_too_early() -> Evidence:
    """Before and after."""
    x = torch.arange(-8.0, 8.0, 0.1, requires_grad=True)
    y = torch.relu(x)
    yield x.grad is None, True
    y.sum().backward()
    yield x.grad, (x.detach() > 0).float(), 0.0
