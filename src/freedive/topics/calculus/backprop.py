"""Backpropagation by hand through one hidden layer with an L2 penalty (section 5.3).

The section leaves biases out, and so does this. For one example, with an activation φ:

    z = W₁ x,  h = φ(z),  o = W₂ h,  L = l(o, y),  s = λ/2 (‖W₁‖² + ‖W₂‖²),  J = L + s

An example is a vector, a batch a matrix of rows; L is then the mean over the batch.
"""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from freedive.core.errors import UsageError

ActivationName = Literal["sigmoid", "tanh", "relu"]
LossName = Literal["squared", "cross-entropy"]


class Weights(NamedTuple):
    """The two matrices, each with a row for each of its outputs."""

    W1: Float[Tensor, "hiddens inputs"]
    W2: Float[Tensor, "outputs hiddens"]


class Forward(NamedTuple):
    """Everything that is computed on the way from x to J."""

    z: Float[Tensor, "*batch hiddens"]
    h: Float[Tensor, "*batch hiddens"]
    o: Float[Tensor, "*batch outputs"]
    L: Float[Tensor, ""]
    s: Float[Tensor, ""]
    J: Float[Tensor, ""]


class Gradients(NamedTuple):
    """∂J by everything, in the order in which backpropagation finds it."""

    o: Float[Tensor, "*batch outputs"]
    W2: Float[Tensor, "outputs hiddens"]
    h: Float[Tensor, "*batch hiddens"]
    z: Float[Tensor, "*batch hiddens"]
    W1: Float[Tensor, "hiddens inputs"]


class Step(NamedTuple):
    """A function and its derivative."""

    value: Callable[..., Tensor]
    derivative: Callable[..., Tensor]


def _sigmoid_slope(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * (1 - torch.sigmoid(z))


def activation_step(name: ActivationName) -> Step:
    """φ and φ′, entry by entry."""
    return {
        "sigmoid": Step(torch.sigmoid, _sigmoid_slope),
        "tanh": Step(torch.tanh, lambda z: 1 - torch.tanh(z) ** 2),
        "relu": Step(torch.relu, lambda z: (z > 0).to(z.dtype)),
    }[name]


def loss_step(name: LossName) -> Step:
    """l(o, y) and ∂l/∂o of each example; y is a target vector, or a distribution over classes.

    squared: ½ ‖o − y‖² and o − y. cross-entropy: −Σ y log p and p Σ y − y with p = softmax(o).
    """
    return {
        "squared": Step(lambda o, y: ((o - y) ** 2).sum(dim=-1) / 2, lambda o, y: o - y),
        "cross-entropy": Step(
            lambda o, y: -(y * F.log_softmax(o, dim=-1)).sum(dim=-1),
            lambda o, y: torch.softmax(o, dim=-1) * y.sum(dim=-1, keepdim=True) - y,
        ),
    }[name]


class OneHiddenLayer(NamedTuple):
    """The network of section 5.3: what it computes, and every gradient by its formula.

    Attributes:
        activation: φ.
        loss: l.
        weight_decay: λ of the penalty.
    """

    activation: ActivationName = "tanh"
    loss: LossName = "squared"
    weight_decay: float = 0.0

    def forward(
        self,
        weights: Weights,
        x: Float[Tensor, "*batch inputs"],
        y: Float[Tensor, "*batch outputs"],
    ) -> Forward:
        """From the input to the objective."""
        if x.shape[-1] != weights.W1.shape[1]:
            raise UsageError(f"W1 wants {weights.W1.shape[1]} inputs, got x of {x.shape[-1]}: "
                             "an example is a vector, a batch a matrix of rows")  # fmt: skip
        z = x @ weights.W1.mT
        h = activation_step(self.activation).value(z)
        o = h @ weights.W2.mT
        L = loss_step(self.loss).value(o, y).mean()
        s = self.weight_decay / 2 * (weights.W1.square().sum() + weights.W2.square().sum())
        return Forward(z, h, o, L, s, L + s)

    def backward(
        self,
        weights: Weights,
        x: Float[Tensor, "*batch inputs"],
        y: Float[Tensor, "*batch outputs"],
        found: Forward,
    ) -> Gradients:
        """From the objective back: each line uses only what lies above it and `forward`."""
        examples = found.o.shape[:-1].numel()
        o = loss_step(self.loss).derivative(found.o, y) / examples
        W2 = sum_of_outer(o, found.h) + self.weight_decay * weights.W2
        h = o @ weights.W2
        z = h * activation_step(self.activation).derivative(found.z)
        W1 = sum_of_outer(z, x) + self.weight_decay * weights.W1
        return Gradients(o, W2, h, z, W1)


def sum_of_outer(
    a: Float[Tensor, "*batch m"], b: Float[Tensor, "*batch n"]
) -> Float[Tensor, "m n"]:
    """Σ a bᵀ over the examples: a weight matrix serves them all, so their gradients add up."""
    return torch.atleast_2d(a).mT @ torch.atleast_2d(b)


def by_autograd(
    network: OneHiddenLayer,
    weights: Weights,
    x: Float[Tensor, "*batch inputs"],
    y: Float[Tensor, "*batch outputs"],
) -> Gradients:
    """The same gradients from torch's autograd."""
    tracked = Weights(*(W.detach().requires_grad_() for W in weights))
    found = network.forward(tracked, x, y)
    wanted = (found.o, tracked.W2, found.h, found.z, tracked.W1)
    return Gradients(*torch.autograd.grad(found.J, wanted))


def saved_elements(compute: Callable[[], Tensor], parameters: Iterable[Tensor] = ()) -> int:
    """How many numbers torch keeps for the backward pass, beside parameters that exist anyway."""
    owned = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in owned:
            kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compute()
    return sum(kept)
