"""What becomes of a signal in a deep network, by how its weights are drawn (section 5.4)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.mlp.activations import ACTIVATIONS

Initialization = Literal["small", "unit", "xavier", "xavier-uniform", "he", "default"]


def xavier_sigma(num_inputs: int, num_outputs: int) -> float:
    """√(2/(n_in + n_out)): ½(n_in + n_out)σ² = 1, half for each way (section 5.4.2.2)."""
    return math.sqrt(2 / (num_inputs + num_outputs))


def xavier_bound(num_inputs: int, num_outputs: int) -> float:
    """√(6/(n_in + n_out)): U(−a, a) has the variance a²/3."""
    return math.sqrt(3) * xavier_sigma(num_inputs, num_outputs)


def he_sigma(num_inputs: int) -> float:
    """√(2/n_in): makes up for the half of the signal that ReLU takes away."""
    return math.sqrt(2 / num_inputs)


def drawn(
    how: Initialization, num_inputs: int, num_outputs: int, chance: torch.Generator
) -> Float[Tensor, "inputs outputs"]:
    """A matrix of weights: N(0, 0.01²), N(0, 1), Xavier's, He's, or that of ``nn.Linear``."""
    shape = (num_inputs, num_outputs)
    if how in ("xavier-uniform", "default"):
        bound = xavier_bound(*shape) if how == "xavier-uniform" else num_inputs**-0.5
        return (2 * torch.rand(shape, generator=chance, dtype=torch.float64) - 1) * bound
    sigmas = {"small": 0.01, "unit": 1.0, "xavier": xavier_sigma(*shape), "he": he_sigma(shape[0])}
    return torch.randn(shape, generator=chance, dtype=torch.float64) * sigmas[how]


@dataclass
class Scales:
    """Root mean squares in a deep network, layer by layer from the input.

    Attributes:
        activations: of each layer's outputs.
        gradients: of a loss's gradient with respect to each layer's outputs.
        zero: share of outputs that are 0.
    """

    activations: list[float]
    gradients: list[float]
    zero: list[float]


def scales(
    X: Float[Tensor, "batch width"], how: Initialization, activation: str, depth: int, seed: int
) -> Scales:
    """Send a batch through so many layers of equal width, and ½Σo² of the outputs back.

    Args:
        X: the inputs.
        how: the weights are drawn.
        activation: of `ACTIVATIONS`, or none.
        depth: layers.
        seed: of the weights.
    """
    chance = torch.Generator().manual_seed(seed)
    H = [X.clone().requires_grad_()]
    for _ in range(depth):
        Z = H[-1] @ drawn(how, X.shape[1], X.shape[1], chance)
        H.append(Z if activation == "none" else ACTIVATIONS[activation].torchs(Z))
    gradients = torch.autograd.grad(H[-1].square().sum() / 2, H)
    return Scales(
        [rms(h.detach()) for h in H],
        [rms(g) for g in gradients],
        [float((h == 0).double().mean()) for h in H],
    )


def rms(X: Float[Tensor, "*shape"]) -> float:
    """√(mean x²)."""
    return float(X.square().mean().sqrt())


def products(size: int, factors: int, seed: int, count: int = 1) -> Float[Tensor, "n size size"]:
    """So many products of matrices with entries from N(0, 1) (section 5.4.1.2)."""
    chance = torch.Generator().manual_seed(seed)
    M = torch.randn(count, size, size, generator=chance, dtype=torch.float64)
    for _ in range(factors - 1):
        M = M @ torch.randn(count, size, size, generator=chance, dtype=torch.float64)
    return M


def growth(size: int) -> float:
    """E log of a factor's growth: ½(log 2 + ψ(n/2)), the Lyapunov exponent of such products."""
    return 0.5 * (math.log(2) + float(torch.digamma(torch.tensor(size / 2, dtype=torch.float64))))


def symmetric_training(
    dropout: float, steps: int, lr: float = 0.1, seed: int = 0, units: int = 4
) -> list[float]:
    """How far hidden units with equal first weights come apart in SGD on random examples.

    Args:
        dropout: probability with which a hidden unit is dropped.
        steps: of full-batch gradient descent.
        lr: step size.
        seed: of the examples and the masks.
        units: hidden units.

    Returns:
        The largest difference between two columns of the first layer's weights, before each step
        and after the last.
    """
    chance = torch.Generator().manual_seed(seed)
    X, y = (torch.randn(32, n, generator=chance, dtype=torch.float64) for n in (5, 1))
    W1 = torch.full((5, units), 0.3, dtype=torch.float64, requires_grad=True)
    w2 = torch.full((units, 1), 0.3, dtype=torch.float64, requires_grad=True)
    apart = []
    for _ in range(steps):
        apart.append(spread(W1))
        mask = torch.rand(32, units, generator=chance, dtype=torch.float64) >= dropout
        H = torch.tanh(X @ W1) * mask / (1 - dropout)
        gradients = torch.autograd.grad((H @ w2 - y).square().mean() / 2, (W1, w2))
        with torch.no_grad():
            for parameter, gradient in zip((W1, w2), gradients, strict=True):
                parameter -= lr * gradient
    return [*apart, spread(W1)]


def spread(W: Float[Tensor, "inputs units"]) -> float:
    """The largest difference between two units' weights."""
    return float((W.amax(dim=1) - W.amin(dim=1)).max().detach())
