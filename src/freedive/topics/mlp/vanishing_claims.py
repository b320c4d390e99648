"""What the book says about depth, initialisation and symmetry, as checks (section 5.4)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from freedive.catalog import claim, erratum
from freedive.core.random import preserved_random_state
from freedive.topics.mlp.activations import relu
from freedive.topics.mlp.claims import normal
from freedive.topics.mlp.initialization import (
    Initialization,
    drawn,
    growth,
    he_sigma,
    products,
    rms,
    scales,
    symmetric_training,
    xavier_bound,
    xavier_sigma,
)

Evidence = Iterator[tuple[Any, ...]]
DEPTH, WIDTH = 30, 128


@claim(
    "5.4.1.2",
    "a product of 101 matrices from N(0, 1) of size 4 × 4 explodes: to 10 to the 24.5 or so",
    ("002a C92", "000 C28", "001_003_004 C21"),
)
def exploding_products() -> Evidence:
    """log₁₀ of the largest entry of 300 products: mean and spread; the rate by theory."""
    sizes = products(4, 101, seed=0, count=300).abs().amax(dim=(1, 2)).log10()
    yield sizes.mean().item(), 24.7, 0.5  # five standard errors
    yield sizes.std().item(), 1.8, 0.4
    yield sizes.min().item(), (17.0, 24.0)
    yield 101 * growth(4) / math.log(10), 24.5, 0.05


@claim("5.4.1.2", "the product tends to rank one", ("002a C93", "000 C28", "001_003_004 C21"))
def rank_one() -> Evidence:
    """Second singular value over first, the median of 100 products, by factors."""
    ratios = []
    for factors in (1, 10, 101):
        values = torch.linalg.svdvals(products(4, factors, seed=1, count=100))
        ratios.append((values[:, 1] / values[:, 0]).median().item())
    yield ratios == sorted(ratios, reverse=True), True
    yield ratios[0], (0.3, 1.0)
    yield ratios[-1], (0.0, 1e-6)


@claim(
    "5.4.1.1",
    "sigmoids shrink gradients at every layer, by ¼ or more",
    ("002a C94", "000 C30"),
)
def sigmoid_shrinks() -> Evidence:
    """Xavier's weights, 20 layers: the gradient at the input over that at the end, by activation.

    The bound ¼ is for the activation; the spectral norm of these weights is about 2.
    """
    X = normal(32, 100)
    ratio = {}
    for name in ("sigmoid", "tanh", "relu"):
        found = scales(X, "xavier", name, 20, seed=0)
        ratio[name] = found.gradients[0] / found.gradients[-1]
        sizes = torch.tensor(found.gradients)
        if name == "sigmoid":
            yield bool((sizes[:-1] < sizes[1:] / 2).all()), True
    yield ratio["sigmoid"], (0.0, (0.25 * 2) ** 20)
    yield ratio["relu"], (1e-5, 10.0)
    yield ratio["tanh"], (1e-2, 10.0)


@claim("5.4.1.3", "gradient descent never tells equal hidden units apart", "002a C96")
def symmetry_stays() -> Evidence:
    """The largest difference of their weights after 200 steps."""
    apart = symmetric_training(0.0, 200)
    yield max(apart), 0.0


@claim("5.4.1.3", "dropout breaks the symmetry", "002a C97")
def symmetry_breaks() -> Evidence:
    """After one step and after 200."""
    apart = symmetric_training(0.5, 200)
    yield apart[0], 0.0
    yield apart[1], (1e-5, 1.0)
    yield apart[-1], (0.01, 10.0)


@erratum(
    "5.4.2.1",
    "nn.Linear begins with uniform weights of standard deviation 1/√(3 n_in)",
    printed="by default weights are drawn from a normal distribution",
    source=("002a E35", "002a C98"),
)
def default_weights() -> Evidence:
    """400 inputs: all within 1/√400, with the deviation and the fourth moment of a uniform one."""
    with preserved_random_state():
        torch.manual_seed(0)
        w = nn.Linear(400, 1000).weight.detach().double()
    yield w.abs().max().item(), (0.0499, 0.05 + 1e-7)
    yield w.std().item(), 0.0289, 1e-4
    yield ((w / w.std()) ** 4).mean().item(), 9 / 5, 0.01  # 3 for normal weights
    ours = drawn("default", 400, 1000, torch.Generator().manual_seed(0))
    yield ours.std().item(), w.std().item(), 1e-4


@claim(
    "5.4.2.2",
    "a sum of n products has variance n σ² γ²; U(−a, a) has variance a²/3",
    ("002a C99", "001_003_004 C22"),
)
def variances() -> Evidence:
    """100,000 outputs; Xavier's uniform weights against nn.init's, within their bound."""
    n, sigma, gamma = 50, 0.3, 0.8
    X, W = gamma * normal(2000, n), sigma * normal(n, 50, stream=1)
    yield (X @ W).var().item(), n * sigma**2 * gamma**2, 0.12
    a = xavier_bound(200, 100)
    yield a**2 / 3, xavier_sigma(200, 100) ** 2, 1e-15
    yield a**2 / 3, 2 / 300, 1e-15
    with preserved_random_state():
        torch.manual_seed(0)
        theirs = nn.init.xavier_uniform_(torch.empty(200, 100)).double()
    ours = drawn("xavier-uniform", 200, 100, torch.Generator().manual_seed(1))
    for weights in (ours, theirs):
        yield weights.abs().max().item(), (0.99 * a, a + 1e-7)
        yield weights.var().item(), a**2 / 3, 0.0003


@claim(
    "5.4.2.2",
    "Xavier's variance makes the mean of the forward and the backward gain 1",
    "000 C29",
)
def two_gains() -> Evidence:
    """256 → 128: n_in σ² and n_out σ², measured; both are 1 for equal widths."""
    for num_inputs, num_outputs in ((256, 128), (192, 192)):
        W = drawn("xavier", num_inputs, num_outputs, torch.Generator().manual_seed(0))
        forward = rms(normal(500, num_inputs) @ W) ** 2
        backward = rms(normal(500, num_outputs, stream=1) @ W.T) ** 2
        total = num_inputs + num_outputs
        yield forward, 2 * num_inputs / total, 0.05
        yield backward, 2 * num_outputs / total, 0.05
        yield (forward + backward) / 2, 1.0, 0.05


@erratum(
    "5.4.2.2",
    "Xavier keeps linear layers of equal widths; ReLU takes √2 per layer, and He's √(2/n) gives it "
    "back",
    printed="Xavier initialisation works with non-linear activations all the same",
    source=("002a E36", "002a C100"),
)
def he_for_relu() -> Evidence:
    """30 layers of 128: the last outputs, relative to the inputs."""
    X, sizes = normal(64, WIDTH), {}
    pairs: tuple[tuple[str, Initialization], ...]
    pairs = (("none", "xavier"), ("relu", "xavier"), ("relu", "he"))
    for activation, how in pairs:
        found = [scales(X, how, activation, DEPTH, seed) for seed in range(5)]
        logs = [math.log2(f.activations[-1] / f.activations[0]) for f in found]
        sizes[activation, how] = sum(logs) / len(logs)
    yield sizes["none", "xavier"], 0.0, 1.5
    yield sizes["relu", "xavier"], -DEPTH / 2, 2.5
    yield sizes["relu", "he"], 0.0, 2.5
    yield he_sigma(WIDTH) / xavier_sigma(WIDTH, WIDTH), math.sqrt(2), 1e-12


@erratum(
    "5.4.1.1",
    "a linear network vanishes too, where its weights are small",
    printed="vanishing gradients are laid at the activation's door",
    source="002a E37",
)
def small_weights() -> Evidence:
    """30 layers with N(0, 0.01²): the gradient at the input; with Xavier's weights it stays."""
    X = normal(64, WIDTH)
    yield scales(X, "small", "none", DEPTH, 0).gradients[0], (0.0, 1e-40)
    found = scales(X, "xavier", "none", DEPTH, 0)
    yield found.gradients[0], (0.05, 20.0)


@erratum(
    "5.4.1.1",
    "ReLU's gradients do not shrink along living units; a unit that is negative for all examples "
    "is dead",
    printed="ReLU avoids vanishing gradients",
    source="002a E33",
)
def dead_units() -> Evidence:
    """A unit with a bias of −10: no gradient for its weights, and none after steps."""
    X, y = normal(64, 4), normal(64, stream=1)
    W = 0.1 * normal(4, 2, stream=2)
    b = torch.tensor([1.0, -10.0], dtype=torch.float64)
    for _ in range(5):
        W, b = W.requires_grad_(), b.requires_grad_()
        loss = (relu(X @ W + b).sum(dim=1) - y).square().mean()
        slopes = torch.autograd.grad(loss, (W, b))
        yield slopes[0][:, 1], torch.zeros(4), 0.0
        W, b = ((p - 0.1 * g).detach() for p, g in zip((W, b), slopes, strict=True))
    yield slopes[0][:, 0].norm().item(), (1e-4, 100.0)


@erratum(
    "5.4.1",
    "products grow or fade by their singular values: eigenvalues of 0 do not stop them",
    printed="large eigenvalues make gradients explode",
    source="002a E34",
)
def singular_values() -> Evidence:
    """Two matrices whose eigenvalues are all 0, and their product's largest one."""
    A = torch.tensor([[0.0, 10.0], [0.0, 0.0]], dtype=torch.float64)
    for M in (A, A.T):
        yield torch.linalg.eigvals(M).abs().max().item(), 0.0
        yield torch.linalg.svdvals(M).max().item(), 10.0
    yield (A @ A.T).max().item(), 100.0
    product = torch.linalg.matrix_power(A @ A.T, 10)
    yield product.max().item(), 1e20
