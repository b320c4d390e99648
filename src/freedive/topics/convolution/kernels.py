"""Kernels made by hand, and one that is learnt (sections 7.2.3 to 7.2.5)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.random import generator
from freedive.topics.convolution.scratch import corr2d

Operation = Callable[[Tensor, Tensor], Tensor]

EDGE = torch.tensor([[1.0, -1.0]])  # the difference of two neighbours in a row
SOBEL = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])

KERNELS = {
    "vertical edges": EDGE,
    "horizontal edges": EDGE.T,
    "Sobel, vertical": SOBEL,
    "Sobel, horizontal": SOBEL.T,
    "all edges": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]]),
    "vertical lines": torch.tensor([[-1.0, 2.0, -1.0]] * 3),
    "blur": torch.full((3, 3), 1 / 9),
    "sharpen": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
}


def stripes() -> Float[Tensor, "6 8"]:
    """The book's image: white, with a black band in columns 2 to 5."""
    X = torch.ones(6, 8)
    X[:, 2:6] = 0
    return X


def first_kernel(seed: int) -> Float[Tensor, "1 2"]:
    """Where learning begins: within ±1/√2, as torch draws the weights of two inputs."""
    drawn = torch.rand(1, 2, generator=generator(seed), dtype=torch.float64)
    return (2 * drawn - 1) / 2**0.5


@dataclass(frozen=True)
class Learning:
    """What gradient descent did: kernels before each step and after the last, with their losses."""

    kernels: Float[Tensor, "steps 1 2"]
    losses: list[float]


def learn_kernel(
    lr: float, steps: int, start: Float[Tensor, "1 2"], operation: Operation = corr2d
) -> Learning:
    """A kernel of two numbers fitted to the stripes' edges by gradient descent (section 7.2.4).

    The loss is the sum of squares over all pixels.

    Args:
        lr: the learning rate.
        steps: how many steps.
        start: the first kernel.
        operation: corr2d, or a convolution in the strict sense.
    """
    X, K = stripes().double(), start
    Y = corr2d(X, EDGE.double())
    kernels, losses = [], []
    for _ in range(steps + 1):
        K = K.detach().requires_grad_()
        loss = ((operation(X, K) - Y) ** 2).sum()
        (gradient,) = torch.autograd.grad(loss, K)
        kernels.append(K.detach())
        losses.append(loss.item())
        K = K - lr * gradient
    return Learning(torch.stack(kernels), losses)


def hessian() -> Float[Tensor, "2 2"]:
    """The second derivatives of that loss, 2AᵀA; A has a row for each window of the stripes."""
    X = stripes().double()
    A = torch.stack([X[:, :-1].flatten(), X[:, 1:].flatten()], dim=1)
    return 2 * A.T @ A


def step_limit() -> float:
    """The learning rate from which on gradient descent grows: 2/λ for the largest curvature."""
    return 2 / float(torch.linalg.eigvalsh(hessian()).max())


def predicted_losses(
    lr: float, steps: int, start: Float[Tensor, "1 2"], best: Float[Tensor, "1 2"]
) -> Float[Tensor, " losses"]:
    """The losses by their law, ½ Σ λ c² (1 − lr·λ)^2t; c is the start's distance along an axis."""
    curvature, axes = torch.linalg.eigh(hessian())
    distance = axes.T @ (start - best).flatten()
    t = torch.arange(steps + 1)[:, None]
    return (curvature * distance**2 * (1 - lr * curvature) ** (2 * t) / 2).sum(dim=1)
