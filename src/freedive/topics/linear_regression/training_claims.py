"""What the book says about training linear regression, as checks (sections 3.3 to 3.5)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.loader import TensorLoader
from freedive.core.module import Module
from freedive.core.random import preserved_random_state, seed_everything
from freedive.core.trainer import Trainer
from freedive.data.synthetic import SyntheticRegressionData
from freedive.topics.linear_regression.claims import Evidence, normal
from freedive.topics.linear_regression.concise import LinearRegression
from freedive.topics.linear_regression.scratch import (
    LinearRegressionScratch,
    absolute_loss,
    huber_loss,
)

LR, STEPS = 0.03, 96  # three epochs of 1000 examples in batches of 32
TRUTH = torch.tensor([2.0, -3.4, 4.2])  # w and b of the book's data
SEEDS = range(8)


class Doubled(LinearRegression):
    """Linear regression with MSELoss as it stands, without the ½."""

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean of (ŷ − y)²."""
        return F.mse_loss(y_hat, self.like(y, y_hat))


def trained(
    model: Callable[[], Module], seed: int, max_epochs: int = 3, batch_size: int = 32
) -> tuple[Any, float]:
    """A model fitted to the book's data, and its validation loss."""
    with preserved_random_state():
        seed_everything(seed)
        data = SyntheticRegressionData(batch_size=batch_size)
        fitted = model()
        trainer = Trainer(max_epochs=max_epochs, seed=seed, device="cpu", progress=False)
        return fitted, trainer.fit(fitted, data).last["val_loss"]


def errors(model: Callable[[], Module], max_epochs: int = 3) -> Tensor:
    """True minus learnt parameters, w before b, one row a seed."""
    found = [trained(model, seed, max_epochs)[0].get_w_b() for seed in SEEDS]
    return TRUTH - torch.stack([torch.cat([w, b.reshape(1)]) for w, b in found])


def band(rows: Tensor) -> float:
    """Four standard errors of a mean over seeds, those of the worst column."""
    return float(4 * rows.std(dim=0).max() / math.sqrt(len(rows)))


@claim("3.3.3", "1001 examples in batches of 10 are 101, the last of one", "001_003_004 C33")
def short_last_batch() -> Evidence:
    """Counted."""
    sizes = [len(X) for (X,) in TensorLoader([torch.zeros(1001)], batch_size=10)]
    yield len(sizes), 101
    yield sizes[-1], 1


@claim("3.4.2", "(n, 1) minus (n,) is (n, n): targets want the outputs' shape", "001_003_004 C32")
def broadcasting_trap() -> Evidence:
    """The shapes, with and without the model's care for them."""
    y_hat, y = torch.zeros(5, 1), torch.zeros(5)
    yield str(tuple((y_hat - y).shape)), str((5, 5))
    yield str(tuple((y_hat - LinearRegression.like(y, y_hat)).shape)), str((5, 1))


@claim(
    "3.4.4",
    "after three epochs the errors are (1 − η)⁹⁶ of the parameters on average",
    "002a C36",
)
def errors_after_three_epochs() -> Evidence:
    """Eight seeds, within four standard errors."""
    rows = errors(LinearRegressionScratch)
    yield rows.mean(dim=0), (1 - LR) ** STEPS * TRUTH, band(rows)


@claim("3.4.4", "after ten epochs every error is below 0.01", "002a C37")
def errors_after_ten_epochs() -> Evidence:
    """The largest error of eight seeds."""
    yield float(errors(LinearRegressionScratch, max_epochs=10).abs().max()), (0.0, 0.01)


@claim(
    "3.4.4",
    "with batches of 10, three epochs end at the noise's own loss, σ²/2; zero weights do as well",
    "001_003_004 C31",
)
def three_epochs_of_ten() -> Evidence:
    """Validation loss from small random and from zero weights."""
    _, random = trained(LinearRegressionScratch, 0, batch_size=10)
    _, zero = trained(lambda: LinearRegressionScratch(sigma=0.0), 0, batch_size=10)
    yield random, 0.01**2 / 2, 1e-5
    yield zero, random, 1e-6


@erratum(
    "3.5.2",
    "MSELoss lacks the ½ of the loss from scratch: its steps are twice as long, so errors fall "
    "to (1 − 2η)⁹⁶",
    printed="both forms are compared at the same learning rate as if they were equal",
    source=("002a C38", "002a E4", "001_003_004 C1"),
)
def twice_the_step() -> Evidence:
    """Mean errors over eight seeds; at half the rate MSELoss gives what the scratch form gives."""
    rows = errors(Doubled)
    yield rows.mean(dim=0), (1 - 2 * LR) ** STEPS * TRUTH, band(rows)
    (halved, _), (scratch, _) = (
        trained(lambda: Doubled(lr=LR / 2, sigma=0.0), 0),
        trained(lambda: LinearRegressionScratch(lr=LR, sigma=0.0), 0),
    )
    yield halved.get_w_b()[0], scratch.get_w_b()[0], 1e-5


@erratum(
    "3.5.1",
    "an initialisation put on a lazy layer before its first batch is lost",
    printed="a LazyLinear layer is initialised with N(0, 0.01²) in the constructor",
    source=("002a C39", "002a E3"),
)
def lazy_initialisation() -> Evidence:
    """The deviation of ten thousand weights is that of the default U(−1/√n, 1/√n)."""
    with preserved_random_state():
        torch.manual_seed(0)
        lazy, num_inputs = nn.LazyLinear(100), 100
        lazy.weight.data.normal_(0, 0.01)
        lazy(torch.zeros(1, num_inputs))
        explicit = LinearRegression(num_inputs=10_000, sigma=0.01)
    default = 1 / math.sqrt(3 * num_inputs)
    yield float(lazy.weight.detach().std()), (0.95 * default, 1.05 * default)
    yield float(explicit.net.weight.detach().std()), (0.95 * 0.01, 1.05 * 0.01)


@claim(
    "3.5.6",
    "the sum of squared errors at lr/10 moves as their mean at lr, for batches of 10",
    "001_003_004 C34",
)
def sum_and_mean() -> Evidence:
    """Ten steps of either."""
    X, y = normal(100, 3), normal(100, stream=1)

    def weights(reduction: str, lr: float) -> Tensor:
        w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optim = torch.optim.SGD([w], lr=lr)
        for features, targets in zip(X.split(10), y.split(10), strict=True):
            optim.zero_grad()
            F.mse_loss(features @ w, targets, reduction=reduction).backward()
            optim.step()
        return w.detach()

    yield weights("sum", 0.003), weights("mean", 0.03), 1e-12


@claim(
    "3.5.6",
    "Huber's loss |e| − σ/2, or e²/2σ within σ, is smooth_l1_loss with beta=σ",
    "001_003_004 C35",
)
def huber() -> Evidence:
    """For several σ; the default smooth_l1_loss is the case σ = 1, and |e| is l1_loss."""
    y_hat, y = 3 * normal(1000), normal(1000, stream=1)
    error = (y_hat - y).abs()
    for sigma in (0.5, 1.0, 2.0):
        given = torch.where(error > sigma, error - sigma / 2, error**2 / (2 * sigma))
        yield given, F.smooth_l1_loss(y_hat, y, reduction="none", beta=sigma), 1e-12
        yield given, F.huber_loss(y_hat, y, reduction="none", delta=sigma) / sigma, 1e-12
        yield given, huber_loss(y_hat, y, delta=sigma) / sigma, 1e-12
        default = F.smooth_l1_loss(y_hat, y, reduction="none")
        yield bool(torch.allclose(given, default)), sigma == 1.0
    yield absolute_loss(y_hat, y), F.l1_loss(y_hat, y, reduction="none"), 1e-12
