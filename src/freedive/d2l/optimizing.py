"""Helpers of the chapter on optimization (12; 11 in the second edition)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from freedive.core.errors import FreediveError
from freedive.d2l.images import epochs, shortened
from freedive.d2l.plotting import Animator, pyplot, set_figsize
from freedive.d2l.regression import evaluate_loss, linreg, load_array, squared_loss
from freedive.d2l.timing import Timer

NOISE = "airfoil"  # what DATA_HUB calls the table


def train_2d(
    trainer: Callable[..., Any], steps: int = 20, f_grad: Callable[..., Any] | None = None
) -> list[tuple[Any, Any]]:
    """Run an optimizer on two variables from (−5, −2); gives where it went."""
    x1, x2, s1, s2 = -5, -2, 0, 0
    results = [(x1, x2)]
    for _ in range(steps):
        more = (f_grad,) if f_grad else ()
        x1, x2, s1, s2 = trainer(x1, x2, s1, s2, *more)
        results.append((x1, x2))
    print(f"epoch {steps}, x1: {float(x1):f}, x2: {float(x2):f}")
    return results


def show_trace_2d(f: Callable[..., Any], results: Sequence[tuple[Any, Any]]) -> None:
    """Where an optimizer of two variables went, on the function's contours."""
    set_figsize()
    plt = pyplot()
    plt.plot(*zip(*results, strict=True), "-o", color="#ff7f0e")
    x1, x2 = np.meshgrid(np.arange(-5.5, 1.0, 0.1), np.arange(-3.0, 1.0, 0.1), indexing="ij")
    values = f(torch.tensor(x1), torch.tensor(x2))
    plt.contour(x1, x2, np.asarray(values), colors="#1f77b4")
    plt.xlabel("x1")
    plt.ylabel("x2")


def airfoil(rows: int) -> np.ndarray[Any, Any]:
    """NASA's noise of wings; where it cannot be fetched, a table made by code, and that is said."""
    import sys

    from freedive.d2l.downloads import download

    try:
        return np.genfromtxt(download(NOISE), dtype=np.float32, delimiter="\t")[:rows]
    except (FreediveError, OSError) as error:
        print(f"d2l: {error}: a table made by code stands in", file=sys.stderr)
    chance = np.random.default_rng(0)
    X = chance.normal(size=(1503, 5))
    y = X @ np.array([-0.6, -0.4, -0.5, 0.2, -0.3]) + 0.6 * chance.normal(size=1503)
    return np.column_stack([X, y]).astype(np.float32)[:rows]


def get_data_ch11(batch_size: int = 10, n: int = 1500) -> tuple[Any, int]:
    """Batches of a standardised table, and how many features it has."""
    table = airfoil(n)
    data = torch.from_numpy((table - table.mean(axis=0)) / table.std(axis=0))
    return load_array((data[:, :-1], data[:, -1]), batch_size, is_train=True), data.shape[1] - 1


def train_ch11(
    trainer_fn: Callable[..., Any],
    states: Any,
    hyperparams: Any,
    data_iter: Any,
    feature_dim: int,
    num_epochs: int = 2,
) -> tuple[list[float], list[float]]:
    """Linear regression with an optimizer written by hand; gives times and losses."""
    w = torch.normal(mean=0.0, std=0.01, size=(feature_dim, 1), requires_grad=True)
    b = torch.zeros((1), requires_grad=True)

    def net(X: Tensor) -> Tensor:
        return linreg(X, w, b)

    def step(X: Tensor, y: Tensor) -> None:
        squared_loss(net(X), y).mean().backward()
        trainer_fn([w, b], states, hyperparams)

    return _train(net, step, squared_loss, data_iter, num_epochs)


def train_concise_ch11(
    trainer_fn: Any, hyperparams: dict[str, Any], data_iter: Any, num_epochs: int = 4
) -> None:
    """Linear regression with one of torch's optimizers, and a loss of (ŷ − y)²/2."""
    net = nn.Sequential(nn.Linear(5, 1))
    nn.init.normal_(net[0].weight, std=0.01)  # type: ignore[arg-type]
    optimizer, loss = trainer_fn(net.parameters(), **hyperparams), nn.MSELoss(reduction="none")

    def step(X: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        out = net(X)
        loss(out, y.reshape(out.shape)).mean().backward()
        optimizer.step()

    _train(net, step, lambda out, y: loss(out, y) / 2, data_iter, num_epochs)


def _train(
    net: Any, step: Callable[..., None], loss: Any, data_iter: Any, num_epochs: int
) -> tuple[list[float], list[float]]:
    """The loop that both share: the loss is measured every 200 examples, off the clock."""
    animator = Animator(xlabel="epoch", ylabel="loss", xlim=[0, num_epochs], ylim=[0.22, 0.35])
    n, timer, losses = 0, Timer(), [float("nan")]
    for _ in range(epochs(num_epochs)):
        for X, y in shortened(data_iter):
            step(X, y)
            n += X.shape[0]
            if n % 200 == 0:
                timer.stop()
                losses.append(evaluate_loss(net, data_iter, loss))
                animator.add(n / X.shape[0] / len(data_iter), (losses[-1],))
                timer.start()
    if not timer.times:
        timer.stop()
        losses.append(evaluate_loss(net, data_iter, loss))
    print(f"loss: {losses[-1]:.3f}, {timer.sum() / num_epochs:.3f} sec/epoch")
    return timer.cumsum(), losses[1:]
