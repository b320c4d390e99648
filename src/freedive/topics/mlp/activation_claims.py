"""What the book says about activation functions, as checks (section 5.1)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.topics.mlp.activations import (
    ACTIVATIONS,
    LEAK,
    best_fit,
    gelu,
    gelu_by_tanh,
    kinks,
    prelu,
    relu,
    relu_slope,
    sigmoid_slope,
    swish,
)
from freedive.topics.mlp.claims import normal, slope

Evidence = Iterator[tuple[Any, ...]]


def grid(n: int = 1601) -> Tensor:
    """Numbers from −8 to 8."""
    return torch.linspace(-8, 8, n, dtype=torch.float64)


@claim(
    "5.1.2",
    "each activation and its slope are what torch and autograd compute",
    "002a section 5.1.2",
)
def as_torch_has_them() -> Evidence:
    """Values and slopes on a grid; at 0, where ReLU has none, the slope is that of torch."""
    x = grid()
    for function in ACTIVATIONS.values():
        yield function.value(x), function.torchs(x), 1e-12
        yield function.slope(x), slope(function.torchs, x), 1e-12


@claim("5.1.2.1", "pReLU(x) = max(0, x) + α min(0, x)", ("000 C19", "001_003_004 exercise E46"))
def leaking() -> Evidence:
    """By that formula; its slope is 1 above 0 and α below, and ∂/∂α is min(0, x)."""
    x = grid()
    yield prelu(x), x.clamp(min=0) + LEAK * x.clamp(max=0), 1e-15
    yield slope(prelu, x[x != 0]), torch.where(x[x != 0] > 0, 1.0, LEAK).double(), 0.0
    alpha = torch.tensor([LEAK], dtype=torch.float64, requires_grad=True)
    out = torch.nn.functional.prelu(x, alpha)
    yield torch.autograd.grad(out.sum(), alpha)[0], x.clamp(max=0).sum()[None], 1e-9


@claim(
    "5.1.2.2",
    "the sigmoid's slope tends to 0 far from 0",
    ("000 C20", "001_003_004 C17"),
)
def flat_far_away() -> Evidence:
    """3.35e-4 at 8 on either side; ten in a row leave at most ¼ to the tenth."""
    at = torch.tensor([-8.0, 8.0], dtype=torch.float64)
    yield sigmoid_slope(at), [3.35e-4, 3.35e-4], 1e-6
    yield float(sigmoid_slope(grid().abs() + 30).max()), (0.0, 1e-12)
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(10):
        y = torch.sigmoid(y)
    (shrunk,) = torch.autograd.grad(y, x)
    yield shrunk.item(), (0.0, 0.25**10)


@claim("5.1.2.1", "ReLU's slope is 1 for positive inputs and 0 for negative ones", "002a C95")
def one_or_nothing() -> Evidence:
    """On a grid without 0, by formula and by autograd."""
    x = grid(1600)
    yield relu_slope(x), (x > 0).double(), 0.0
    yield slope(relu, x), relu_slope(x), 0.0


@claim(
    "5.1.2",
    "GELU and Swish bend below 0, and the tanh form of GELU is within 0.001 of it",
    "002a section 5.1.2",
)
def smooth_ones() -> Evidence:
    """Their least values, −0.17 near −0.75 and −0.278 near −1.278; the largest gap of the forms."""
    x = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
    for function, least, where in ((gelu, -0.17, -0.7518), (swish, -0.2785, -1.2785)):
        y = function(x)
        yield y.min().item(), least, 1e-4
        yield x[y.argmin()].item(), where, 1e-3
    yield float((gelu(x) - gelu_by_tanh(x)).abs().max()), (1e-5, 1e-3)


@claim(
    "5.1.1.3",
    "a ReLU network of one input is continuous and piecewise linear",
    ("001_003_004 C20", "001_003_004 exercise E47"),
)
def straight_pieces() -> Evidence:
    """50 units: second differences vanish except in the cells in which a unit begins."""
    w1, b1, w2 = (normal(50, stream=s) for s in range(3))
    x = torch.linspace(-5, 5, 60_001, dtype=torch.float64)
    y = relu(x[:, None] * w1 + b1) @ w2
    second = (y[2:] - 2 * y[1:-1] + y[:-2]).abs()
    bends = kinks(w1, b1, w2)
    inside = int((bends.abs() < 4.999).sum())
    yield float(second.median()), (0.0, 1e-12)
    yield int((second > 1e-9).sum()), (inside, 2 * inside)  # a bend lies in one or two cells
    yield float((y[1:] - y[:-1]).abs().max()), (0.0, 0.1)


@erratum(
    "5.1.1.4",
    "continuous functions on a bounded interval are approximated, with enough hidden units",
    printed="a hidden layer approximates any function",
    source="002a E30",
)
def only_continuous_ones() -> Evidence:
    """The largest error falls with width for a wave; for a jump it stays at half its height."""
    x = torch.linspace(-2, 2, 400, dtype=torch.float64)
    inner = 2 * normal(2, 64)
    worst = {}
    for name, y in (("wave", torch.sin(3 * x)), ("jump", (x > 0).double())):
        fits = [best_fit(x, y, inner[:, :units], torch.tanh) for units in (4, 64)]
        worst[name] = [float((fit - y).abs().max()) for fit in fits]
    yield worst["wave"][0], (0.2, 2.0)
    yield worst["wave"][1], (0.0, 0.01)
    yield worst["jump"][1], (0.25, 0.75)


@erratum(
    "5.1.2",
    "an activation acts on the weighted sum that the layer has made, and need not have a slope "
    "everywhere",
    printed="activation functions compute the weighted sum and are differentiable; ReLU is 0 where "
    "the parameter is negative",
    source=("002a E31", "000 E21", "000 E22"),
)
def no_slope_at_zero() -> Evidence:
    """ReLU's one-sided slopes at 0 differ; a negative weight with a negative input passes."""
    h = torch.tensor(1e-6, dtype=torch.float64)
    zero = torch.zeros((), dtype=torch.float64)
    yield ((relu(h) - relu(zero)) / h).item(), 1.0
    yield ((relu(zero) - relu(-h)) / h).item(), 0.0
    weight = torch.tensor(-2.0, dtype=torch.float64)
    yield relu(weight * -3).item(), 6.0
    yield relu(weight * 3).item(), 0.0
