"""What the book says about backpropagation and its memory, as checks (section 5.3)."""

import itertools
from typing import get_args

import torch
from torch import Tensor, nn

from freedive.catalog import claim, erratum
from freedive.topics.calculus.backprop import (
    ActivationName,
    LossName,
    OneHiddenLayer,
    Weights,
    by_autograd,
    saved_elements,
)
from freedive.topics.calculus.claims import Evidence, normal


def problem(*batch: int) -> tuple[Weights, Tensor, Tensor]:
    """Weights of 4 → 6 → 3, examples and targets."""
    weights = Weights(normal(6, 4), normal(3, 6, stream=1))
    return weights, normal(*batch, 4, stream=2), torch.softmax(normal(*batch, 3, stream=3), dim=-1)


@claim(
    "5.3.3",
    "the formulas for ∂J/∂o, W₂, h, z and W₁ give what autograd gives",
    ("002a C89", "000 C27", "001_003_004 C15"),
)
def formulas() -> Evidence:
    """Every activation and loss, with λ = 0.1, for one example and for a batch."""
    for activation, loss in itertools.product(get_args(ActivationName), get_args(LossName)):
        network = OneHiddenLayer(activation, loss, weight_decay=0.1)
        for batch in ((), (5,)):
            weights, x, y = problem(*batch)
            ours = network.backward(weights, x, y, network.forward(weights, x, y))
            for mine, theirs in zip(ours, by_autograd(network, weights, x, y), strict=True):
                yield mine, theirs, 1e-13


@claim("5.3.3", "the gradient of the penalty is λ W", "002a C90")
def penalty() -> Evidence:
    """What a λ of 0.3 adds to both matrices' gradients."""
    weights, x, y = problem()
    gradients = []
    for weight_decay in (0.0, 0.3):
        network = OneHiddenLayer(weight_decay=weight_decay)
        gradients.append(network.backward(weights, x, y, network.forward(weights, x, y)))
    without, with_it = gradients
    yield with_it.W1 - without.W1, 0.3 * weights.W1, 1e-13
    yield with_it.W2 - without.W2, 0.3 * weights.W2, 1e-13


@claim(
    "5.3.4",
    "training keeps activations in proportion to depth and batch; prediction keeps none",
    ("002a C91", "001_003_004 C16"),
)
def memory() -> Evidence:
    """Numbers kept by stacks of 64 tanh units."""

    def kept(depth: int, batch: int) -> int:
        net = nn.Sequential(
            *(part for _ in range(depth) for part in (nn.Linear(64, 64), nn.Tanh()))
        )
        return saved_elements(lambda: net(torch.ones(batch, 64)), net.parameters())

    yield [kept(depth, 8) for depth in (2, 4, 8)], [2048, 4096, 8192]
    yield [kept(4, batch) for batch in (8, 16, 32)], [4096, 8192, 16_384]
    with torch.no_grad():
        yield kept(8, 8), 0


@erratum(
    "5.3.1",
    "‖W‖² is the square of the Frobenius norm, which no norm is: twice W gives four times as much",
    printed="the penalty's ‖W‖² is called the Frobenius norm",
    source="002a E32",
)
def squared_norm() -> Evidence:
    """What doubling does to the norm and to the penalty of λ = 2."""
    weights, x, y = problem()
    doubled = Weights(*(2 * W for W in weights))
    network = OneHiddenLayer(weight_decay=2.0)
    norms = [float(W.norm() ** 2) for W in weights]
    yield float(network.forward(weights, x, y).s), sum(norms), 1e-12
    yield float(network.forward(doubled, x, y).s), 4 * sum(norms), 1e-12
    yield float(doubled.W1.norm()), 2 * float(weights.W1.norm()), 1e-12
