"""An experiment with backpropagation through one hidden layer (section 5.3)."""

from typing import Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import NonNegative, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable
from freedive.topics.calculus.backprop import (
    ActivationName,
    Gradients,
    LossName,
    OneHiddenLayer,
    Weights,
    by_autograd,
)
from freedive.topics.calculus.figures import maps_figure
from freedive.topics.calculus.labs import Size

FORMULAS = {
    "o": "∂l/∂o / n",
    "W2": "Σ ∂J/∂o hᵀ + λ W2",
    "h": "W2ᵀ ∂J/∂o",
    "z": "∂J/∂h ⊙ φ′(z)",
    "W1": "Σ ∂J/∂z xᵀ + λ W1",
}


@lab("backprop", section="5.3")
def backprop(
    num_inputs: Size = 6,
    num_hiddens: Size = 8,
    num_outputs: Size = 3,
    batch_size: Size = 5,
    activation: ActivationName = "tanh",
    loss: LossName = "squared",
    weight_decay: NonNegative = 0.1,
    seed: Whole = 0,
) -> Report:
    """Every gradient of a network with one hidden layer, by its formula and by autograd.

    Args:
        num_inputs: entries of x.
        num_hiddens: entries of z and h.
        num_outputs: entries of o.
        batch_size: examples.
        activation: φ.
        loss: l; the targets are distributions for either.
        weight_decay: λ of the penalty.
        seed: of weights and examples.
    """
    weights, x, y = drawn(num_inputs, num_hiddens, num_outputs, batch_size, seed)
    network = OneHiddenLayer(activation, loss, weight_decay)
    found = network.forward(weights, x, y)
    gradients = network.backward(weights, x, y, found)
    table = gradient_table(gradients, by_autograd(network, weights, x, y))
    forward = {"x": x, "W1": weights.W1, "z": found.z, "h": found.h, "W2": weights.W2, "o": found.o}
    backward = {name: getattr(gradients, name, None) for name in forward}
    return Report(
        numbers={
            **{name: getattr(found, name).item() for name in "LsJ"},
            "largest_difference": max(row["away from autograd"] for row in table),
        },
        tables={"gradients, in the order they are found": table},
        figures={
            "maps": maps_figure(forward, backward),
            "graph": recorded(network, weights, x[0], y[0]).to_graph().svg(),
        },
        notes=[
            "above, what goes forward; below, the gradient of each, of the same shape, going back",
            "each formula needs what the forward pass found: that is what training keeps in memory",
            "the graph is of the first example alone",
        ],
    )


def drawn(
    num_inputs: int, num_hiddens: int, num_outputs: int, batch_size: int, seed: int
) -> tuple[Weights, Tensor, Tensor]:
    """Weights that keep the scale of what they take, examples, and targets that sum to 1."""
    chance = generator(seed)

    def normal(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=chance, dtype=torch.float64)

    W1, W2 = normal(num_hiddens, num_inputs), normal(num_outputs, num_hiddens)
    weights = Weights(W1 / num_inputs**0.5, W2 / num_hiddens**0.5)
    return weights, normal(batch_size, num_inputs), normal(batch_size, num_outputs).softmax(dim=1)


def gradient_table(ours: Gradients, theirs: Gradients) -> list[dict[str, Any]]:
    """Each gradient with its formula, its shape, its size, and its distance from autograd's."""
    return [
        {
            "gradient": f"∂J/∂{name}",
            "formula": formula,
            "shape": " × ".join(map(str, mine.shape)),
            "norm": float(mine.norm()),
            "away from autograd": float((mine - other).abs().max()),
        }
        for (name, formula), mine, other in zip(FORMULAS.items(), ours, theirs, strict=True)
    ]


def recorded(network: OneHiddenLayer, weights: Weights, x: Tensor, y: Tensor) -> Variable:
    """The objective of one example, recorded by the engine of section 2.5 and run backwards."""
    source, target = Variable(x, "x", tracked=False), Variable(y, "y", tracked=False)
    W1, W2 = Variable(weights.W1, "W1"), Variable(weights.W2, "W2")
    z = (W1 @ source).named("z")
    h = getattr(ops, network.activation)(z).named("h")
    o = (W2 @ h).named("o")
    if network.loss == "squared":
        L = ops.sum((o - target) ** 2) / 2
    else:
        L = -ops.sum(target * ops.log_softmax(o))
    s = network.weight_decay / 2 * (ops.sum(W1**2) + ops.sum(W2**2))
    J = (L.named("L") + s.named("s")).named("J")
    J.backward()
    return J
