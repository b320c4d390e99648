"""Activation functions from tensors up, each beside its derivative (section 5.1.2)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Function = Callable[[Tensor], Tensor]
LEAK = 0.25  # pReLU's α, at which nn.PReLU begins
CUBIC = 0.044715  # of GELU's tanh form


def relu(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """max(x, 0) (section 5.1.2.1)."""
    return torch.where(x > 0, x, 0)


def relu_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """1 where x > 0, else 0; at 0 there is no derivative, and 0 is the convention."""
    return (x > 0).to(x.dtype)


def prelu(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """max(0, x) + α min(0, x): an input below 0 keeps a slope."""
    return torch.where(x > 0, x, LEAK * x)


def prelu_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """1 where x > 0, else α."""
    return torch.where(x > 0, 1.0, LEAK).to(x.dtype)


def sigmoid(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """1 / (1 + e⁻ˣ) (section 5.1.2.2); e to the −|x| cannot overflow."""
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1, small) / (1 + small)


def sigmoid_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """σ(1 − σ): at most ¼, at 0."""
    return sigmoid(x) * sigmoid(-x)


def tanh(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """(1 − e⁻²ˣ) / (1 + e⁻²ˣ) = 2σ(2x) − 1 (section 5.1.2.3)."""
    return sigmoid(2 * x) - sigmoid(-2 * x)


def tanh_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """1 − tanh²: at most 1, at 0."""
    return 4 * sigmoid_slope(2 * x)


def normal_cdf(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Φ(x) = (1 + erf(x/√2)) / 2."""
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def gelu(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """x Φ(x), Φ the distribution function of N(0, 1)."""
    return x * normal_cdf(x)


def gelu_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Φ(x) + x φ(x), φ the density of N(0, 1): above 1 near √2, below 0 near −√2."""
    return normal_cdf(x) + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def gelu_by_tanh(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))): nearly GELU, without erf."""
    return x / 2 * (1 + tanh(math.sqrt(2 / math.pi) * (x + CUBIC * x**3)))


def gelu_by_tanh_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """(1 + t)/2 + x/2 · (1 − t²) √(2/π) (1 + 3 · 0.044715 x²), t the tanh above."""
    scale = math.sqrt(2 / math.pi)
    inner = scale * (x + CUBIC * x**3)
    return (1 + tanh(inner)) / 2 + x / 2 * tanh_slope(inner) * scale * (1 + 3 * CUBIC * x**2)


def swish(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """x σ(x), also called SiLU."""
    return x * sigmoid(x)


def swish_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """σ(x) + x σ(x) (1 − σ(x))."""
    return sigmoid(x) + x * sigmoid_slope(x)


class Activation(NamedTuple):
    """A function, its derivative, and torch's own."""

    value: Function
    slope: Function
    torchs: Function


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(relu, relu_slope, F.relu),
    "prelu": Activation(prelu, prelu_slope, lambda x: F.prelu(x, x.new_tensor([LEAK]))),
    "sigmoid": Activation(sigmoid, sigmoid_slope, torch.sigmoid),
    "tanh": Activation(tanh, tanh_slope, torch.tanh),
    "gelu": Activation(gelu, gelu_slope, F.gelu),
    "gelu-tanh": Activation(
        gelu_by_tanh, gelu_by_tanh_slope, lambda x: F.gelu(x, approximate="tanh")
    ),
    "swish": Activation(swish, swish_slope, F.silu),
}


def kinks(
    w1: Float[Tensor, " units"], b1: Float[Tensor, " units"], w2: Float[Tensor, " units"]
) -> Float[Tensor, " kinks"]:
    """Where x ↦ Σ w2 relu(w1 x + b1) changes its slope: at x = −b1/w1 of each unit that counts.

    A network with one input and n hidden ReLUs is piecewise linear, of n + 1 pieces at most.
    """
    counts = (w1 * w2) != 0
    return (-b1[counts] / w1[counts]).unique()


def best_fit(
    x: Float[Tensor, " n"], y: Float[Tensor, " n"], inner: Float[Tensor, "2 units"], value: Function
) -> Float[Tensor, " n"]:
    """The outputs nearest to y, in the mean of squares, of a hidden layer with fixed inner weights.

    Args:
        inner: a weight and a bias of each hidden unit.
    """
    H = torch.cat([value(x[:, None] * inner[0] + inner[1]), torch.ones_like(x)[:, None]], dim=1)
    return H @ torch.linalg.lstsq(H, y[:, None], driver="gelsd").solution[:, 0]
