"""What the book says about the linear model and its loss, as checks (section 3.1)."""

import math
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.linear_regression.scratch import (
    SGD,
    gaussian_negative_log_likelihood,
    least_squares,
    normal_density,
    squared_loss,
)

Evidence = Iterator[tuple[Any, ...]]
W, B = (2.0, -3.4), 4.2  # the law that section 3.3 draws its data from


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


@claim("3.1.1", "the design-matrix form Xw + b is the row-wise form", "002a C29")
def design_matrix() -> Evidence:
    """One product against one dot product a row."""
    X, w = normal(50, 4), normal(4, stream=1)
    yield X @ w + B, torch.stack([torch.dot(w, x) + B for x in X]), 1e-12


@claim("3.1.1.2", "the mean of ½(ŷ − y)² is half of MSELoss", "001_003_004 C1")
def half_mse() -> Evidence:
    """On random numbers."""
    y_hat, y = normal(100), normal(100, stream=1)
    yield squared_loss(y_hat, y).mean(), nn.MSELoss()(y_hat, y) / 2, 1e-12


@erratum(
    "3.1.1.2",
    "the total and the mean loss have one minimiser, but gradients n times as large",
    printed="the total loss is minimised, beside a formula for the mean loss",
    source="002a E58",
)
def total_loss() -> Evidence:
    """The gradient of either, somewhere and at the minimum."""
    X, y = normal(50, 3), normal(50, stream=1)

    def gradient(w: Tensor, reduction: str) -> Tensor:
        w = w.clone().requires_grad_()
        F.mse_loss(X @ w, y, reduction=reduction).backward()
        assert w.grad is not None
        return w.grad

    somewhere = normal(3, stream=2)
    minimum = torch.linalg.lstsq(X, y).solution
    yield gradient(somewhere, "sum"), 50 * gradient(somewhere, "mean"), 1e-10
    yield gradient(minimum, "sum"), torch.zeros(3), 1e-10
    yield gradient(minimum, "mean"), torch.zeros(3), 1e-10


@claim(
    "3.1.1.3",
    "the closed form (XᵀX)⁻¹Xᵀy recovers w and b to about σ/√n",
    ("002a C31", "000 C12", "000 E30", "001_003_004 C2"),
)
def closed_form() -> Evidence:
    """On the book's data, without noise, and against a least-squares solver."""
    X, noise = normal(1000, 2), normal(1000, stream=1) * 0.01
    truth = torch.tensor([*W, B], dtype=torch.float64)
    for scale, tolerance in ((1.0, 5 * 0.01 / math.sqrt(1000)), (0.0, 1e-10)):
        y = X @ truth[:2] + B + scale * noise
        found = torch.cat([p.reshape(-1) for p in least_squares(X, y)])
        yield found, truth, tolerance
        ones = torch.cat([X, torch.ones(1000, 1, dtype=torch.float64)], dim=1)
        yield found, torch.linalg.lstsq(ones, y[:, None]).solution[:, 0], 1e-10


@erratum(
    "3.1.1.3",
    "the closed form needs Xᵀ a second time: (XᵀX)⁻¹Xᵀy",
    printed="w* = (XᵀX)⁻¹y, whose shapes do not fit",
    source="001_003_004 C2",
)
def closed_form_as_printed() -> Evidence:
    """A 3 × 3 matrix cannot multiply 50 numbers."""
    X, y = normal(50, 3), normal(50, stream=1)
    inverse = torch.linalg.inv(X.T @ X)
    try:
        shape = tuple((inverse @ y).shape)
    except RuntimeError:
        shape = ()
    yield "no product" if shape == () else str(shape), "no product"
    yield inverse @ X.T @ y, torch.linalg.lstsq(X, y).solution, 1e-10


@claim(
    "3.1.1.4",
    "the minibatch gradients x(wᵀx + b − y) and wᵀx + b − y are those of autograd",
    ("002a C30", "001_003_004 C3"),
)
def minibatch_step() -> Evidence:
    """One step by formula, one by autograd and the hand-written SGD."""
    X, y, lr = normal(10, 4), normal(10, stream=1), 0.03
    w, b = normal(4, stream=2).requires_grad_(), normal(1, stream=3).requires_grad_()
    with torch.no_grad():
        residual = X @ w + b - y
        by_formula = w - lr * (X * residual[:, None]).mean(dim=0), b - lr * residual.mean()
    squared_loss(X @ w + b, y).mean().backward()
    SGD([w, b], lr).step()
    yield w.detach(), by_formula[0], 1e-12
    yield b.detach(), by_formula[1], 1e-12


def noise_free_losses(lr: float, epochs: int) -> list[float]:
    """The mean loss before training and after each epoch, on data without noise."""
    X = normal(1000, 2)
    y = X @ torch.tensor(W, dtype=torch.float64) + B
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optim, losses = SGD([w, b], lr), []
    for epoch in range(epochs + 1):
        losses.append(squared_loss(X @ w + b, y).mean().item())
        for rows in torch.randperm(1000, generator=generator(0, epoch)).split(10):
            optim.zero_grad()
            squared_loss(X[rows] @ w + b, y[rows]).mean().backward()
            optim.step()
    return losses


@claim("3.1.1.4", "minibatch SGD comes nearer by a factor an epoch", "000 C13")
def geometric_decay() -> Evidence:
    """Noise-free data: each pass divides the loss by far more than ten."""
    losses = noise_free_losses(lr=0.03, epochs=3)
    for before, after in pairwise(losses):
        yield after / before, (0.0, 0.1)
    yield losses[-1], (1e-300, math.inf)


@erratum(
    "3.1.1.4",
    "SGD can reach a minimum exactly in finitely many steps",
    printed="SGD never reaches the minimum exactly in finitely many steps",
    source="000 C13",
)
def exact_in_one_step() -> Evidence:
    """½λ(x − 3)² with the learning rate 1/λ."""
    x = torch.tensor([11.0], dtype=torch.float64, requires_grad=True)
    curvature = 4.0
    (curvature * squared_loss(x, torch.tensor([3.0], dtype=torch.float64))).sum().backward()
    SGD([x], lr=1 / curvature).step()
    yield x.item(), 3.0, 0.0


@claim("3.1.2", "one vector addition is over a hundred times as fast as a loop", "002a C32")
def vectorization() -> Evidence:
    """Ten thousand sums; each way takes its best of several tries."""
    a, b, total = torch.ones(10_000), torch.ones(10_000), torch.zeros(10_000)

    def loop() -> None:
        for i in range(len(a)):
            total[i] = a[i] + b[i]

    def best(action: Any, tries: int) -> float:
        times = []
        for _ in range(tries):
            start = time.perf_counter()
            action()
            times.append(time.perf_counter() - start)
        return min(times)

    yield best(loop, 3) / best(lambda: a + b, 100), (100.0, math.inf)


@claim(
    "3.1.3",
    "the normal density has area 1, mean μ, variance σ² and peak 1/√(2πσ²)",
    "002a C33",
)
def normal_moments() -> Evidence:
    """Integrals by the trapezoid rule, twelve deviations to each side."""
    for mu, sigma in ((0.0, 1.0), (0.0, 2.0), (3.0, 0.5)):
        x = torch.linspace(mu - 12 * sigma, mu + 12 * sigma, 20_001, dtype=torch.float64)
        density = normal_density(x, mu, sigma)
        yield torch.trapezoid(density, x), 1.0, 1e-9
        yield torch.trapezoid(x * density, x), mu, 1e-9
        yield torch.trapezoid((x - mu) ** 2 * density, x), sigma**2, 1e-9
        yield density.max(), 1 / math.sqrt(2 * math.pi * sigma**2), 1e-12


@claim("3.1.3", "a larger σ makes the normal density wider and flatter", "002a C35")
def wider_and_flatter() -> Evidence:
    """Height of the peak, and width at half of it, for growing σ."""
    x = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    densities = [normal_density(x, 0.0, sigma) for sigma in (0.5, 1.0, 2.0, 4.0)]
    heights = [float(d.max()) for d in densities]
    widths = [int((d >= d.max() / 2).sum()) for d in densities]
    yield heights == sorted(heights, reverse=True) and len(set(heights)) == 4, True
    yield widths == sorted(widths) and len(set(widths)) == 4, True


@claim(
    "3.1.3",
    "under Gaussian noise the likelihood is largest at the least-squares solution, whatever σ",
    ("002a C34", "001_003_004 C4"),
)
def maximum_likelihood() -> Evidence:
    """The gradient of −log P is 0 there, and every other place is worse."""
    X, y = normal(60, 3), normal(60, stream=1)
    w, b = (p.requires_grad_() for p in least_squares(X, y))
    for sigma in (0.5, 3.0):
        loss = gaussian_negative_log_likelihood(X @ w + b, y, sigma)
        yield torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, (w, b))]), [0.0] * 4, 1e-9
        by_distribution = -torch.distributions.Normal(X @ w + b, sigma).log_prob(y).sum()
        yield loss.item(), by_distribution.item(), 1e-9
        elsewhere = gaussian_negative_log_likelihood(X @ (w + 0.01) + b, y, sigma)
        yield bool(elsewhere > loss), True
