"""What the notes say about noise, medians and a fitted law, as checks (section 3.1)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.linear_regression.claims import Evidence, normal
from freedive.topics.linear_regression.noise import (
    laplace_density,
    laplace_negative_log_likelihood,
    weighted_median,
)
from freedive.topics.linear_regression.scratch import SGD, squared_loss

TEMPERATURE = 5778.0  # of the Sun's surface, in kelvin
HC_PER_K = 14_387.77  # hc/k in µm · K: the exponent of Planck's law is this over λT


@claim(
    "3.1.3",
    "Σ(x − b)² is least at the mean, Σ|x − b| at the median",
    ("001_003_004 C39", "001_003_004 exercise E20", "001_003_004 exercise E27"),
)
def mean_and_median() -> Evidence:
    """A fine grid of constants, for an odd and an even number of skewed draws."""
    for n in (25, 26):
        x = normal(n).exp()
        grid = torch.linspace(float(x.min()), float(x.max()), 20_001, dtype=torch.float64)
        spacing = float(grid[1] - grid[0])
        errors = x[:, None] - grid
        yield float(grid[errors.square().sum(dim=0).argmin()]), float(x.mean()), spacing
        lower, upper = (x.sort().values[(n - 1) // 2], x.sort().values[n // 2])
        best = float(grid[errors.abs().sum(dim=0).argmin()])
        yield best, (float(lower) - spacing, float(upper) + spacing)
        yield weighted_median(x, torch.ones_like(x)), (float(lower), float(upper))


@claim(
    "3.1.3",
    "SGD on the absolute loss swings around the median at a fixed step; falling ones settle",
    ("001_003_004 C39", "001_003_004 exercise E28"),
)
def swinging_steps() -> Evidence:
    """The last hundred of a thousand steps: their spread is that of the step, or nothing."""
    x = normal(21)
    median = float(x.median())

    def tail(step: object) -> Tensor:
        b, path = torch.zeros((), dtype=torch.float64), []
        for t in range(1000):
            # the gradient of the mean of |x − b|
            b = b - step(t) * torch.sign(b - x).mean()  # type: ignore[operator]
            path.append(b)
        return torch.stack(path[-100:])

    fixed, falling = tail(lambda t: 2.0), tail(lambda t: 2.0 / (1 + t))
    yield float(fixed.max() - fixed.min()), (1e-3, 4.0)
    yield float((falling - median).abs().max()), (0.0, 0.01)
    yield float((fixed - median).abs().max()) > 10 * float((falling - median).abs().max()), True


@claim(
    "3.2",
    "gradient descent reads the temperature, 5778 K, off a spectrum of Planck's law",
    ("001_003_004 C40", "001_003_004 exercise E31"),
)
def temperature_of_a_spectrum() -> Evidence:
    """Squared errors of the logarithms, as a function of log T, from 3000 and from 12,000 K."""
    wavelengths = torch.linspace(0.3, 2.5, 60, dtype=torch.float64)  # µm

    def log_radiance(log_temperature: Tensor) -> Tensor:
        exponent = HC_PER_K / wavelengths / log_temperature.exp()
        return -5 * wavelengths.log() - torch.log(torch.expm1(exponent))

    seen = log_radiance(torch.tensor(TEMPERATURE, dtype=torch.float64).log())
    for start in (3000.0, 12_000.0):
        guess = torch.tensor(start, dtype=torch.float64).log().requires_grad_()
        optim = SGD([guess], lr=0.02)
        for _ in range(500):
            optim.zero_grad()
            squared_loss(log_radiance(guess), seen).mean().backward()
            optim.step()
        yield float(guess.detach().exp()), TEMPERATURE, 1e-3


@erratum(
    "3.1.5",
    "½ exp(−|ε|) is the Laplace density: it lives on both sides of 0, the exponential on one",
    printed="noise with the density ½ exp(−|ε|) is called exponentially distributed",
    source="001_003_004 E32",
)
def laplace_is_not_exponential() -> Evidence:
    """Mass below 0, variance 2, and torch's two distributions."""
    x = torch.linspace(-40, 40, 160_001, dtype=torch.float64)
    density = laplace_density(x, 0.0, 1.0)
    yield torch.trapezoid(density, x), 1.0, 1e-6
    yield torch.trapezoid(density[x <= 0], x[x <= 0]), 0.5, 1e-6
    yield torch.trapezoid(x**2 * density, x), 2.0, 1e-6
    one = torch.ones((), dtype=torch.float64)
    laplace = torch.distributions.Laplace(0 * one, one)
    exponential = torch.distributions.Exponential(one)
    yield density, laplace.log_prob(x).exp(), 1e-12
    positive = x[x > 0]
    as_printed = exponential.log_prob(positive).exp()
    yield bool(torch.allclose(as_printed, density[x > 0])), False
    yield as_printed, 2 * density[x > 0], 1e-12
    by_torch = -laplace.log_prob(normal(9)).sum()
    yield laplace_negative_log_likelihood(torch.zeros(9).double(), normal(9), 1.0), by_torch, 1e-9


@erratum(
    "3.4.4",
    "a step is the gradient of the mean over the batch that was seen",
    printed="sgd divides the summed gradient by batch_size, also for a shorter last batch",
    source="001_003_004 E37",
)
def short_batch() -> Evidence:
    """A last batch of one, of size 10: the printed step is a tenth of what it should be."""
    X, y = normal(1, 3), normal(1, stream=1)
    w = normal(3, stream=2).requires_grad_()
    (gradient,) = torch.autograd.grad(F.mse_loss(X @ w, y, reduction="sum") / 2, w)
    before, printed = w.detach().clone(), -0.1 * gradient / 10
    squared_loss(X @ w, y).mean().backward()
    SGD([w], lr=0.1).step()
    yield w.detach() - before, -0.1 * gradient, 1e-12
    yield w.detach() - before, 10 * printed, 1e-12
    yield bool(torch.allclose(w.detach() - before, printed)), False
