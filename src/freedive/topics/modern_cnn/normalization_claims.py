"""What the book says about batch and layer norm, as checks (section 8.5)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim
from freedive.core.random import generator
from freedive.topics.modern_cnn.lenet_bn import BNLeNet, BNLeNetScratch
from freedive.topics.modern_cnn.scratch import (
    BatchNorm1d,
    BatchNorm2d,
    LayerNorm,
    batch_norm,
    layer_norm,
)

Evidence = Iterator[tuple[Any, ...]]
FEATURES, IMAGES = (8, 3), (4, 3, 5, 6)


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Normal numbers around 3 with deviation 2, in double precision, the same each time."""
    chance = generator(0, stream)
    return 3 + 2 * torch.randn(*shape, generator=chance, dtype=torch.float64)


def seen_by(function: Callable[[Tensor], Tensor], X: Tensor, entry: tuple[int, ...]) -> Tensor:
    """Which entries of X an output depends on: true where its gradient is not zero."""
    X = X.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(X)[entry], X)
    return gradient != 0


def moments(X: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance, both with n below the fraction line."""
    return X.mean(axes), X.var(axes, correction=0)


@claim("8.5.2", "in training, outputs have mean β and deviation γ in each channel", "002b C25")
def mean_beta_deviation_gamma() -> Evidence:
    """Features and images; exactly γ σ̂/√(σ̂² + ε), which is γ where ε is 0."""
    gamma, beta = normal(3, stream=1).abs(), normal(3, stream=2)
    for X, axes in ((normal(*FEATURES), (0,)), (normal(*IMAGES), (0, 2, 3))):
        for eps in (0.0, 1.0):
            mean, var = moments(batch_norm(X, gamma, beta, None, None, True, eps), axes)
            variance = moments(X, axes)[1]
            yield mean, beta, 1e-12
            yield var.sqrt(), gamma * (variance / (variance + eps)).sqrt(), 1e-12


@claim(
    "8.5.3",
    "batch norm from tensors up is torch's, in its outputs and in its moving mean",
    ("002b C26", "001_003_004 C66"),
)
def equals_torchs() -> Evidence:
    """Five updates of each layer, then a prediction; the variance is told by an erratum."""
    for kind, shape in (("BatchNorm1d", FEATURES), ("BatchNorm2d", IMAGES)):
        ours = {"BatchNorm1d": BatchNorm1d, "BatchNorm2d": BatchNorm2d}[kind](3).double()
        theirs = getattr(nn, kind)(3).double()
        for step in range(5):
            X = normal(*shape, stream=step)
            yield ours(X).detach(), theirs(X).detach(), 1e-12
        yield ours.running_mean, theirs.running_mean, 1e-12
        yield ours.eval()(X).detach(), theirs.eval()(X).detach(), 1e-12


@claim(
    "8.5.2",
    "with γ = √(σ̂² + ε) and β = μ̂ batch norm hands its input on",
    "001_003_004 C66",
)
def identity() -> Evidence:
    """What a layer would learn if it were better without."""
    for X, axes in ((normal(*FEATURES), (0,)), (normal(*IMAGES), (0, 2, 3))):
        mean, var = moments(X, axes)
        yield batch_norm(X, (var + 1e-5).sqrt(), mean, None, None, True), X, 1e-12


@claim("8.5.2", "a bias in front of batch norm has no effect on the output", "002b C27")
def bias_before() -> Evidence:
    """Behind a convolution: equal outputs whatever the bias, and no gradient comes to it."""
    X, W = normal(*IMAGES), normal(2, 3, 3, 3, stream=1)
    gamma, beta, weights = normal(2, stream=2), normal(2, stream=3), normal(4, 2, 3, 4, stream=4)
    plain = batch_norm(F.conv2d(X, W), gamma, beta, None, None, True)
    for bias in (torch.zeros(2).double(), 100 * normal(2, stream=5)):
        b = bias.requires_grad_()
        Y = batch_norm(F.conv2d(X, W, b), gamma, beta, None, None, True)
        (gradient,) = torch.autograd.grad((Y * weights).sum(), b)
        yield Y.detach(), plain, 1e-10
        yield gradient, [0.0, 0.0], 1e-10


@claim(
    "8.5.2.2",
    "features are averaged over the batch, images over batch and pixels: two numbers a channel",
    "002b C28",
)
def axes_of_batch_norm() -> Evidence:
    """Which inputs the first output depends on, by its gradient."""
    for X, layer in ((normal(*FEATURES), BatchNorm1d(3)), (normal(*IMAGES), BatchNorm2d(3))):
        channel = torch.zeros(X.shape, dtype=torch.bool)
        channel[:, 0] = True
        yield seen_by(layer.double(), X, (0,) * X.dim()), channel, 0.0
        yield sum(p.numel() for p in layer.parameters()), 2 * 3


@claim("8.5.2.4", "after n equal batches the moving mean is 1 − 0.9ⁿ of the way there", "002b C29")
def moving_average() -> Evidence:
    """From 0 to the mean of a batch, and from 1 to its variance; 22 batches are 90 %."""
    layer, X = BatchNorm1d(3).double(), normal(*FEATURES)
    for n in range(1, 23):
        layer(X)
        reached = 1 - 0.9**n
        yield layer.running_mean, reached * X.mean(0), 1e-12
        yield layer.running_var, 1 + reached * (X.var(0) - 1), 1e-12
    yield reached, (0.9, 0.91)


@claim(
    "8.5.2.4",
    "in prediction batch norm is one affine map of each channel: convolution can take it in",
    "002b section 8.5.2.4",
)
def prediction() -> Evidence:
    """Alone or in a batch the same; folded into weight and bias the same; nothing is changed."""
    layer = BatchNorm2d(2).double()
    conv, X = nn.Conv2d(3, 2, 3).double(), normal(*IMAGES)
    for step in range(3):
        layer(conv(normal(*IMAGES, stream=step)))
    state = {name: tensor.clone() for name, tensor in layer.eval().state_dict().items()}
    Y = layer(conv(X)).detach()
    yield layer(conv(X[:1])).detach(), Y[:1], 1e-12
    for name, tensor in layer.state_dict().items():
        yield tensor, state[name], 0.0
    gamma, beta, mean, var, _ = state.values()
    scale = gamma / (var + 1e-5).sqrt()
    bias = conv.state_dict()["bias"]
    weight = conv.weight.detach() * scale[:, None, None, None]
    yield F.conv2d(X, weight, beta + (bias - mean) * scale), Y, 1e-12


@claim(
    "8.5.2.3",
    "layer norm sees one example alone: batch size and an affine change of it do not matter",
    "002b C31",
)
def layer_norm_of_one() -> Evidence:
    """What an output depends on; one example and eight; 5x − 7 for x, exact where ε is 0."""
    X = normal(*FEATURES)
    example = torch.zeros(X.shape, dtype=torch.bool)
    example[0] = True
    yield seen_by(LayerNorm(3).double(), X, (0, 0)), example, 0.0
    Y = layer_norm(X, None, None)
    yield layer_norm(X[:1], None, None), Y[:1], 1e-12
    exact = layer_norm(X, None, None, eps=0.0)
    yield layer_norm(5 * X - 7, None, None, eps=0.0), exact, 1e-12
    yield layer_norm(5 * X - 7, None, None), Y, 1e-3
    yield Y, F.layer_norm(X, (3,)), 1e-12


@claim(
    "8.5.4",
    "the book's LeNet with batch norm has 44,878 parameters, 452 of them γ and β",
    ("001_003_004 C63", "002b section 8.5"),
)
def lenet_bn_size() -> Evidence:
    """Both forms: sides 24, 12, 8 and 4 of the feature maps, and 256 numbers behind them."""
    for model in (BNLeNet(), BNLeNetScratch()):
        X, sides = torch.zeros(2, 1, 28, 28), []
        for layer in model.net:
            X = layer(X)
            if isinstance(layer, nn.Flatten):
                yield X.shape[1], 256
            elif X.dim() == 4 and X.shape[2] not in sides:
                sides.append(X.shape[2])
        yield sides, [24, 12, 8, 4]
        norms = [layer for layer in model.net if hasattr(layer, "running_mean")]
        yield sum(p.numel() for p in model.parameters()), 44_878
        yield sum(p.numel() for layer in norms for p in layer.parameters()), 452
