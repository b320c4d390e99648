"""What the book says about softmax and its loss, as checks (sections 4.1, 4.4 and 4.5)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.metrics import accuracy
from freedive.core.random import generator
from freedive.topics.softmax_regression.concise import SoftmaxRegression
from freedive.topics.softmax_regression.scratch import (
    SoftmaxRegressionScratch,
    cross_entropy,
    log_softmax,
    softmax,
)

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def soft_labels(n: int, classes: int) -> Tensor:
    """Rows of probabilities."""
    return softmax(normal(n, classes, stream=9))


@claim(
    "4.1.1.3",
    "softmax gives positive rows that sum to 1 and keep the order of the logits",
    ("002a C49", "001_003_004 C5"),
)
def probabilities() -> Evidence:
    """On random logits; the softmax over columns is another thing."""
    logits = normal(200, 7)
    y_hat = softmax(logits)
    yield bool((y_hat > 0).all()), True
    yield y_hat.sum(dim=1), torch.ones(200), 1e-12
    yield bool((y_hat.argsort(dim=1) == logits.argsort(dim=1)).all()), True
    yield y_hat, nn.Softmax(dim=1)(logits), 1e-12
    yield bool(torch.allclose(y_hat, nn.Softmax(dim=0)(logits))), False


@claim("4.1.1.3", "adding a constant to all logits changes nothing", "002a C50")
def shift_invariance() -> Evidence:
    """Constants of either sign."""
    logits = normal(50, 4)
    for constant in (-30.0, 0.5, 30.0):
        yield softmax(logits + constant), softmax(logits), 1e-12


@claim("4.1.2.1", "the negative log-likelihood of data is the sum of cross-entropies", "002a C51")
def likelihood() -> Evidence:
    """The logarithm of a product of probabilities."""
    y_hat = softmax(normal(20, 3))
    y = torch.arange(20) % 3
    product = math.prod(float(row[label]) for row, label in zip(y_hat, y, strict=True))
    yield -math.log(product), float(20 * cross_entropy(y_hat, y)), 1e-9


@claim(
    "4.1.2.2",
    "for labels that sum to 1 the loss is logsumexp(o) − Σ y_j o_j",
    ("002a C52", "001_003_004 C7", "000 C15"),
)
def loss_of_logits() -> Evidence:
    """Soft labels, and hard ones through the model's loss."""
    logits, labels = normal(30, 5), soft_labels(30, 5)
    by_definition = -(labels * log_softmax(logits)).sum(dim=1)
    yield torch.logsumexp(logits, dim=1) - (labels * logits).sum(dim=1), by_definition, 1e-12
    y = torch.arange(30) % 5
    hard = torch.logsumexp(logits, dim=1) - logits.gather(1, y[:, None])[:, 0]
    yield SoftmaxRegressionScratch().loss(logits, y, averaged=False), hard, 1e-12


@claim(
    "4.1.2.2",
    "the gradient by the logits is softmax(o) − y, its derivative diag(p) − ppᵀ",
    ("002a C53", "001_003_004 C6", "000 C14"),
)
def gradient_of_logits() -> Evidence:
    """By autograd, for soft and for hard labels."""
    logits = normal(6).requires_grad_()
    one_hot = torch.eye(6, dtype=torch.float64)[2]
    p = softmax(logits.detach())

    for y in (soft_labels(1, 6)[0], one_hot):

        def loss(o: Tensor, y: Tensor = y) -> Tensor:
            return -(y * log_softmax(o)).sum()

        yield torch.autograd.grad(loss(logits), logits)[0], p - y, 1e-12
        hessian = torch.autograd.functional.hessian(loss, logits.detach())
        yield hessian, torch.diag(p) - torch.outer(p, p), 1e-12


@claim("4.1.2.2", "a step of softmax regression adds the mean of xᵀ(y − ŷ)", "001_003_004 C8")
def weight_step() -> Evidence:
    """The gradient by the weights of a batch."""
    model = SoftmaxRegressionScratch(num_inputs=4, num_outputs=3, lr=0.5).double()
    X, y = normal(10, 4, stream=1), torch.arange(10) % 3
    before = model.W.detach().clone()
    residual = F.one_hot(y, 3) - softmax(model(X).detach())
    model.loss(model(X), y).backward()
    model.configure_optimizers().step()
    yield model.W.detach() - before, 0.5 * X.T @ residual / 10, 1e-12


@erratum(
    "4.1.2.2",
    "softmax cross-entropy needs labels that sum to 1; several labels at once want a sigmoid each",
    printed="the same formula serves multi-label classification",
    source=("002a C54", "002a E14"),
)
def multi_label() -> Evidence:
    """With two labels the shortened form is not the loss, and its gradient not the residual."""
    logits, y = normal(3).requires_grad_(), torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    loss = -(y * log_softmax(logits)).sum()
    shortened = torch.logsumexp(logits, dim=0) - (y * logits).sum()
    yield bool(torch.allclose(loss, shortened)), False
    (gradient,) = torch.autograd.grad(loss, logits)
    yield gradient, y.sum() * softmax(logits.detach()) - y, 1e-12
    separate = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
    yield torch.autograd.grad(separate, logits)[0], torch.sigmoid(logits.detach()) - y, 1e-12


@claim("4.1.2.2", "for the label (0, 0, 1) a surer guess costs less", "002a C55")
def surer_guess() -> Evidence:
    """−log 0.7 against −log 0.1."""
    y_hat = torch.tensor([[0.1, 0.2, 0.7], [0.7, 0.2, 0.1]])
    yield float(cross_entropy(y_hat[:1], torch.tensor([2]))), 0.3567, 5e-5
    yield float(cross_entropy(y_hat[1:], torch.tensor([2]))), 2.3026, 5e-5


@claim("4.3.2", "accuracy is the mean of the right guesses; averaged=False gives each", "002a C62")
def accuracy_of_guesses() -> Evidence:
    """The book's example: one right, one wrong... and the tie goes to the first class."""
    y_hat, y = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]), torch.tensor([0, 2])
    yield accuracy(y_hat, y), 0.5
    yield accuracy(y_hat, y, averaged=False), [0.0, 1.0]


@claim("4.4.3", "cross-entropy of the book's two predictions is 1.4979", "002a C63")
def printed_cross_entropy() -> Evidence:
    """Probabilities picked by their labels, then the mean of −log."""
    y_hat, y = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]), torch.tensor([0, 2])
    yield y_hat[[0, 1], y], [0.1, 0.5], 1e-7
    yield float(cross_entropy(y_hat, y)), 1.4979, 5e-5


@claim("4.4.2", "softmax regression on 28×28 images has 7,850 parameters", "002a C64")
def parameter_count() -> Evidence:
    """Both forms; a batch of 256 gives 256 predictions."""
    for model in (SoftmaxRegressionScratch(), SoftmaxRegression()):
        yield sum(p.numel() for p in model.parameters()), 7850
        yield len(model(torch.zeros(256, 1, 28, 28)).argmax(dim=1)), 256


@claim(
    "4.4.2",
    "the logits are XW + b; W begins as N(0, σ²), b at 0",
    ("REGRESSIONS R18", "REGRESSIONS R24"),
)
def logits() -> Evidence:
    """Torch's affine map with the same parameters; the spread within five standard errors."""
    model, X = SoftmaxRegressionScratch(sigma=0.3).double(), normal(4, 784)
    error = 5 * 0.3 / math.sqrt(2 * model.W.numel())
    yield float(model.W.detach().std()), 0.3, error
    yield model.b.detach(), torch.zeros(10).double(), 0.0
    nn.init.normal_(model.b)
    yield model(X).detach(), F.linear(X, model.W.T, model.b).detach(), 1e-9


@claim(
    "4.1.2.2",
    "the loss of a distribution of labels is −Σ y log ŷ, its mean over the examples",
    "002a C51",
)
def loss_of_soft_labels() -> Evidence:
    """Probabilities as labels, beside torch's cross-entropy."""
    logits, y = normal(6, 10), soft_labels(6, 10)
    yield (
        float(SoftmaxRegressionScratch().loss(logits, y)),
        float(F.cross_entropy(logits, y)),
        1e-12,
    )
