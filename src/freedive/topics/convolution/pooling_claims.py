"""What the book says about pooling and LeNet, as checks (sections 7.5 and 7.6)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.topics.convolution import scratch
from freedive.topics.convolution.dense_claims import Evidence, normal
from freedive.topics.convolution.lenet import LeNet, LeNetScratch
from freedive.topics.convolution.scratch import pool2d


@claim(
    "7.5.1",
    "pooling 3 × 3 numbers by 2 × 2 windows at stride 1, maximum and average",
    ("002b C16", "001_003_004 C57"),
)
def pooled() -> Evidence:
    """As printed, and against torch on other numbers."""
    X, Z = torch.arange(9.0).reshape(3, 3), normal(1, 5, 6)
    yield pool2d(X, (2, 2), stride=1), [[4.0, 5.0], [7.0, 8.0]]
    yield pool2d(X, (2, 2), "avg", stride=1), [[2.0, 3.0], [5.0, 6.0]]
    yield pool2d(Z, 2, stride=1), F.max_pool2d(Z, 2, 1)
    yield pool2d(Z, 2, "avg", stride=1), F.avg_pool2d(Z, 2, 1), 1e-12


@erratum(
    "7.5.1",
    "a mode that is neither max nor avg is refused",
    printed="pool2d gives zeros for it, without a word",
    source="001_003_004 E30",
)
def unknown_mode() -> Evidence:
    """What is said to mean."""
    try:
        told = str(pool2d(torch.ones(3, 3), 2, "mean"))  # type: ignore[arg-type]
    except UsageError as error:
        told = str(error)
    yield told, "mode wants max or avg, got 'mean'"


@erratum(
    "7.5.1",
    "max pooling ignores a shift only within a window",
    printed="pooling makes the output independent of small shifts",
    source="000 C44",
)
def shift_tolerance() -> Evidence:
    """A dot on 4 × 4 pixels, moved by one, in windows of 2 × 2."""
    dot = torch.zeros(4, 4)
    dot[0, 0] = 1
    within, across = dot.roll(1, 1), dot.roll(2, 1)
    yield bool(torch.equal(pool2d(within, 2), pool2d(dot, 2))), True
    yield bool(torch.equal(pool2d(across, 2), pool2d(within, 2))), False
    yield bool(torch.equal(pool2d(within, 2, stride=1), pool2d(dot, 2, stride=1))), False


@claim("7.5.2", "pooling windows do not overlap by default; three printed examples", "002b C17")
def printed_poolings() -> Evidence:
    """Numbers 0 to 15 on 4 × 4 pixels, and torch's layers beside ours."""
    X = torch.arange(16.0).reshape(1, 1, 4, 4)
    for layers in (scratch, nn):
        yield layers.MaxPool2d(3)(X), [[[[10.0]]]]
        yield layers.MaxPool2d(3, padding=1, stride=2)(X), [[[[5.0, 7.0], [13.0, 15.0]]]]
        wide = layers.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))
        yield wide(X), [[[[5.0, 7.0], [13.0, 15.0]]]]


@claim(
    "7.5.3", "pooling works on each channel alone and has no parameters", ("002b C16", "000 C46")
)
def channels_kept() -> Evidence:
    """A second channel larger by one."""
    X = torch.arange(16.0).reshape(1, 1, 4, 4)
    layer = scratch.MaxPool2d(3, padding=1, stride=2)
    both = torch.tensor([[[[5.0, 7.0], [13.0, 15.0]], [[6.0, 8.0], [14.0, 16.0]]]])
    yield layer(torch.cat([X, X + 1], dim=1)), both
    yield len(list(layer.parameters())), 0


@erratum(
    "7.5.4",
    "2 × 2 pooling leaves a quarter of the pixels at stride 2; at stride 1 it leaves nearly all",
    printed="2 × 2 windows give a quarter of the resolution",
    source="002b E9",
)
def quarter() -> Evidence:
    """On 28 × 28 pixels; the book's own pool2d has stride 1."""
    X = normal(28, 28)
    yield pool2d(X, 2, stride=2).numel() / X.numel(), 1 / 4
    yield pool2d(X, 2, stride=1).numel() / X.numel(), (27 / 28) ** 2


@claim(
    "7.6.1",
    "LeNet's layers have the printed shapes, 61,706 parameters together",
    ("002b C18", "001_003_004 C62"),
)
def lenet_shapes() -> Evidence:
    """Both forms, on one 28 × 28 image."""
    printed = [[6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 5, 5], [400], [120], [84], [10]]
    for model in (LeNet(), LeNetScratch()):
        X, shapes = torch.zeros(1, 1, 28, 28), []
        for layer in model.net:
            X = layer(X)
            if not isinstance(layer, nn.Sigmoid):
                shapes.append(list(X.shape[1:]))
        yield str(shapes), str(printed)
        yield sum(p.numel() for p in model.parameters()), 61_706


@erratum(
    "7.6.1",
    "LeNet's outputs are logits; their softmax are the probabilities",
    printed="the ten outputs are the probabilities of the classes",
    source="002b E10",
)
def logits() -> Evidence:
    """For four images: signs and sums."""
    outputs = LeNet()(torch.rand(4, 1, 28, 28)).detach()
    yield bool((outputs < 0).any()), True
    yield bool(((outputs.sum(dim=1) - 1).abs() < 0.01).any()), False
    yield outputs.softmax(dim=1).sum(dim=1), torch.ones(4), 1e-6


@erratum(
    "7.6.2",
    "LeNet with sigmoids and max pooling learns once it has left a plateau",
    printed="with max pooling it is straight dead",
    source=("001_003_004 C78", "001_003_004 exercise E79"),
)
def max_pooling_learns() -> Evidence:
    """At the book's lr 0.9, on stripes of two slants: the losses after 50 and 250 steps."""
    grid, y = torch.arange(12.0), torch.arange(8) % 2
    slant, phase = (1 - 2.0 * y)[:, None, None], torch.arange(8)[:, None, None]
    X = 4 * torch.sin(grid[:, None] + slant * grid + phase)[:, None]
    model = LeNet(image_size=12, num_classes=2, pooling="max", lr=0.9)
    yield trained(model, X, y, steps=50), (0.68, 0.72)  # guessing costs ln 2 = 0.693
    yield trained(model, X, y, steps=200), (0.0, 0.1)
    yield float(model.accuracy(model(X), y)), 1.0


def trained(model: LeNet, X: Tensor, y: Tensor, steps: int) -> float:
    """The loss after some more steps of the model's own optimizer."""
    optim = model.configure_optimizers()
    loss = torch.tensor(math.nan)
    for _ in range(steps):
        loss = model.loss(model(X), y)
        optim.zero_grad()
        loss.backward()
        optim.step()
    return loss.item()
