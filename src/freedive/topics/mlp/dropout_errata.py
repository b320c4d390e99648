"""What dropout drops, and where it belongs (section 5.6)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from freedive.catalog import claim, erratum
from freedive.core.random import preserved_random_state
from freedive.topics.mlp.claims import dropped, normal
from freedive.topics.mlp.concise import DropoutMLP

Evidence = Iterator[tuple[Any, ...]]


@claim("5.6.1", "noise of mean 0 on the inputs leaves their expectation", "000 C26")
def unbiased_noise() -> Evidence:
    """The mean of 400,000 noisy copies, within five standard errors."""
    x, n = normal(5), 400_000
    noisy = x + 0.5 * normal(n, 5, stream=1)
    yield noisy.mean(dim=0), x, 5 * 0.5 / n**0.5


@claim(
    "5.6.2",
    "to drop rows of a layer's weights is to drop its inputs",
    ("001_003_004 C14", "001_003_004 exercise E61"),
)
def rows_are_inputs() -> Evidence:
    """One mask on either; a mask of single weights is something else: it drops less at a time."""
    X, W = normal(6, 4), normal(4, 3, stream=1)
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    yield (X * mask) @ W, X @ (mask[:, None] * W), 1e-12
    single = torch.ones(4, 3, dtype=torch.float64)
    single[1, 0] = 0
    outputs = X @ (single * W)
    yield outputs[:, 1:], (X @ W)[:, 1:], 1e-12
    yield float((outputs - X @ W)[:, 0].abs().max()), (1e-3, 10.0)


@erratum(
    "5.6.3",
    "dropout stands behind the activations of hidden layers, not behind the last layer",
    printed="a dropout layer is added after every fully connected layer",
    source="002a E41",
)
def not_behind_the_outputs() -> Evidence:
    """The modules of ours; behind the logits, half of them would be 0 in every batch."""
    net = [type(module) for module in DropoutMLP().modules()]
    yield sum(kind is nn.Linear for kind in net), 3
    yield sum(kind is nn.Dropout for kind in net), 2
    yield net[-1] is nn.Linear, True
    logits = dropped(1 + normal(1000, 10).abs(), 0.5)
    yield float((logits == 0).double().mean()), 0.5, 0.05


@erratum(
    "5.6.1",
    "dropout drops activations, and those in training alone; parameters are never dropped",
    printed="in prediction parameters are no longer dropped, as if they had been before",
    source="001_003_004 E17",
)
def parameters_stay() -> Evidence:
    """Before and after passes in training."""
    model = DropoutMLP()
    before = [p.detach().clone() for p in model.parameters()]
    model.train()
    with preserved_random_state():
        torch.manual_seed(0)
        first, second = (model(torch.ones(2, 784)).detach() for _ in range(2))
    yield bool(torch.equal(first, second)), False
    for parameter, old in zip(model.parameters(), before, strict=True):
        yield parameter.detach(), old, 0.0
