"""What the book says about multilayer perceptrons and dropout, as checks (5.1, 5.2 and 5.6)."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator, preserved_random_state
from freedive.topics.mlp.concise import MLP, DropoutMLP
from freedive.topics.mlp.scratch import DropoutMLPScratch, MLPScratch, dropout_layer, relu

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The derivative at every x, by autograd."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


def dropped(X: Tensor, dropout: float, seed: int = 0) -> Tensor:
    """`dropout_layer` with masks that are the same each time."""
    with preserved_random_state():
        torch.manual_seed(seed)
        return dropout_layer(X, dropout)


@claim(
    "5.1.1.3",
    "stacked affine layers are one affine layer",
    ("002a C83", "001_003_004 C9", "000 C17"),
)
def linear_collapse() -> Evidence:
    """Two layers against their product."""
    X, W1, b1 = normal(20, 5), normal(5, 8, stream=1), normal(8, stream=2)
    W2, b2 = normal(8, 3, stream=3), normal(3, stream=4)
    yield (X @ W1 + b1) @ W2 + b2, X @ (W1 @ W2) + (b1 @ W2 + b2), 1e-12


@claim(
    "5.1.1.4",
    "wider hidden layers come nearer to a continuous function on an interval",
    "002a C86",
)
def universal_approximation() -> Evidence:
    """sin 3x by tanh units with random inner weights and the best outer ones: error by width."""
    x = torch.linspace(-2, 2, 400, dtype=torch.float64)[:, None]
    y = torch.sin(3 * x)
    inner, shift = 2 * normal(1, 16), 2 * normal(16, stream=1)
    errors = []
    for width in (2, 4, 8, 16):
        H = torch.cat([torch.tanh(x @ inner[:, :width] + shift[:width]), torch.ones_like(x)], 1)
        errors.append(float(F.mse_loss(H @ torch.linalg.lstsq(H, y).solution, y)))
    yield errors == sorted(errors, reverse=True), True
    yield errors[0], (0.1, 1.0)
    yield errors[-1], (0.0, 1e-4)


@claim(
    "5.1.2",
    "sigmoid′ = σ(1 − σ) is at most ¼, tanh′ = 1 − tanh² at most 1, both at 0; ReLU′ is 0 or 1",
    ("002a C84", "001_003_004 C17", "001_003_004 C19", "000 C18"),
)
def derivatives() -> Evidence:
    """By autograd on a grid that contains 0."""
    x = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    for function, formula, top in (
        (torch.sigmoid, lambda s: s * (1 - s), 0.25),
        (torch.tanh, lambda t: 1 - t**2, 1.0),
    ):
        yield slope(function, x), formula(function(x)), 1e-12
        yield float(slope(function, x).max()), top, 1e-12
        yield float(x[slope(function, x).argmax()]), 0.0, 1e-9
    yield slope(relu, x[x != 0]), (x[x != 0] > 0).double(), 0.0


@claim("5.1.2.3", "tanh x = 2σ(2x) − 1", ("002a C85", "001_003_004 C18"))
def tanh_of_sigmoid() -> Evidence:
    """On a grid."""
    x = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    yield torch.tanh(x), 2 * torch.sigmoid(2 * x) - 1, 1e-12


@claim("5.2.1.2", "at 0 the maximum's gradient is ½, that of nn.ReLU 0", "002a C88")
def gradient_at_zero() -> Evidence:
    """The forward values are equal everywhere, the gradients everywhere else."""
    x = torch.tensor([-1.0, 0.0, 2.0])
    yield relu(x), nn.ReLU()(x), 0.0
    yield slope(relu, x), [0.0, 0.5, 1.0]
    yield slope(nn.ReLU(), x), [0.0, 0.0, 1.0]


@claim(
    "5.2.1.1",
    "the MLP 784-256-10 has 203,530 parameters",
    ("002a C87", "001_003_004 C10"),
)
def mlp_parameters() -> Evidence:
    """Both forms, from the same shapes."""
    for model in (MLPScratch(), MLP()):
        yield sum(p.numel() for p in model.parameters()), 203_530
    yield sorted(p.numel() for p in MLP().parameters()), [10, 256, 2560, 200_704]


@claim("5.6.3", "the dropout MLP 784-256-256-10 has 269,322 parameters", "002a C114")
def dropout_mlp_parameters() -> Evidence:
    """Both forms: dropout itself has none."""
    for model in (DropoutMLPScratch(), DropoutMLP()):
        yield sum(p.numel() for p in model.parameters()), 269_322


@claim(
    "5.6.2",
    "dropout keeps the mean, zeroes a share p, and adds h²p/(1 − p) of variance",
    ("002a C109", "001_003_004 C13", "000 C25"),
)
def dropout_moments() -> Evidence:
    """A constant and random activations, within five standard errors."""
    n = 200_000
    for p in (0.2, 0.5, 0.8):
        h = torch.full((n,), 3.0, dtype=torch.float64)
        thinned = dropped(h, p)
        variance = 9 * p / (1 - p)
        yield float((thinned == 0).double().mean()), p, 5 * math.sqrt(p * (1 - p) / n)
        yield float(thinned.mean()), 3.0, 5 * math.sqrt(variance / n)
        yield float(thinned.var()), variance, 0.02 * variance
        spread = 1 + normal(n)  # mean 1 and variance 1
        expected = 1 / (1 - p) + p / (1 - p)
        yield float(dropped(spread, p).var()), expected, 0.03 * expected


@claim(
    "5.6.4.1",
    "p = 0 changes nothing, p = 1 leaves zeros, p = 0.5 doubles what survives",
    "002a C110",
)
def dropout_extremes() -> Evidence:
    """The book's 2 × 8 matrix."""
    X = torch.arange(16.0).reshape(2, 8)
    yield dropped(X, 0.0), X, 0.0
    yield dropped(X, 1.0), torch.zeros(2, 8), 0.0
    half = dropped(X, 0.5)
    yield bool(((half == 0) | (half == 2 * X)).all()), True
    yield int((half != 0).sum()), (1, 15)


@erratum(
    "5.6.4.1",
    "a mask of rand ≥ p keeps everything at p = 0",
    printed="the mask is rand > p, which drops a unit where rand gives exactly 0",
    source="002a E42",
)
def dropout_of_nothing() -> Evidence:
    """The uniform draw that makes the difference, and what either comparison says of it."""
    draw, p = torch.zeros(1), 0.0
    yield bool(draw > p), False
    yield bool(draw >= p), True


@claim("5.6.2", "a dropped unit gets no gradient, another one 1/(1 − p)", "002a C111")
def dropped_gradient() -> Evidence:
    """The gradient of the sum of what remains."""
    X = (1 + normal(1000).abs()).requires_grad_()
    thinned = dropped(X, 0.25)
    (gradient,) = torch.autograd.grad(thinned.sum(), X)
    yield gradient, (thinned != 0).double() / 0.75, 1e-12


@claim("5.2.1", "each layer is an affine map of all its inputs, with a bias", "REGRESSIONS R18")
def layers_with_biases() -> Evidence:
    """Networks with parameters at random, beside torch's own affine map and ReLU."""
    X = normal(4, 784)
    for model in (MLPScratch().double(), DropoutMLPScratch().double().eval()):
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        W, b = ([p for p in model.parameters() if p.dim() == dim] for dim in (2, 1))
        H = X
        for i in range(len(W)):
            H = F.linear(F.relu(H) if i else H, W[i].T, b[i])
        yield model(X).detach(), H.detach(), 1e-8


@claim("5.2.1", "weights begin as N(0, σ²), biases at 0", "REGRESSIONS R24")
def initial_weights() -> Evidence:
    """The spread of 200,000 weights: five standard errors to each side."""
    model = MLPScratch(sigma=0.3)
    error = 5 * 0.3 / math.sqrt(2 * model.W1.numel())
    yield float(model.W1.detach().std()), 0.3, error
    yield model.b1.detach().abs().max(), torch.tensor(0.0), 0.0


@claim("5.6.4.2", "dropout is off in prediction", "002a C112")
def off_in_prediction() -> Evidence:
    """In eval mode two passes are equal, in training mode they are not."""
    X = normal(4, 784).float()
    for model in (DropoutMLPScratch(sigma=0.1), DropoutMLP(sigma=0.1)):
        model.eval()
        yield model(X).detach(), model(X).detach(), 0.0
        model.train()
        yield bool(torch.equal(model(X), model(X))), False


@claim("5.6.1", "noise on the inputs of a linear model acts as an L2 penalty", "002a C113")
def noise_as_penalty() -> Evidence:
    """E ½(w·(x + ε) − y)² = ½(w·x − y)² + ½σ²‖w‖²; dropout weights it by p/(1 − p) Σ w²x²."""
    n, sigma, p = 400_000, 0.5, 0.3
    x, w, y = normal(4), normal(4, stream=1), 0.7
    clean = float((w @ x - y) ** 2 / 2)
    noisy = ((x + sigma * normal(n, 4, stream=2)) @ w - y) ** 2 / 2
    yield float(noisy.mean()), clean + sigma**2 * float(w @ w) / 2, _five_errors(noisy)
    thinned = (dropped(x.expand(n, 4), p) @ w - y) ** 2 / 2
    penalty = p / (1 - p) * float((w * x).square().sum()) / 2
    yield float(thinned.mean()), clean + penalty, _five_errors(thinned)


def _five_errors(samples: Tensor) -> float:
    return float(5 * samples.std() / math.sqrt(len(samples)))
