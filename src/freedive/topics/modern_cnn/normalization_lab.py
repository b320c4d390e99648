"""An experiment with batch norm: what it does, and what it does otherwise in prediction."""

from typing import Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Positive, Whole
from freedive.core.random import preserved_random_state
from freedive.core.report import Report
from freedive.topics.convolution.convnet import ConvNet
from freedive.topics.modern_cnn.normalization_figures import (
    activations_figure,
    axes_figure,
    modes_figure,
    rates_figure,
)
from freedive.topics.modern_cnn.normalization_study import (
    Activation,
    Images,
    Run,
    around_norms,
    batches_to_reach,
    drawn_images,
    in_company,
    in_copy,
    moved_by_a_call,
    nets,
    trained,
    way_of_the_mean,
)

SIZES = (2, 4, 8, 16, 32, 64)  # of the batches in which one image is looked at
TIMES = 24  # batches of each size
NOTES = [
    "In training a layer takes mean and variance from its batch: an image's outputs depend on "
    "its company, the less the larger the batch, and the moving statistics follow behind.",
    "In prediction it takes the moving statistics: one affine map for each channel, the same for "
    "every image, and nothing is changed. In the first steps they are not yet true.",
    "Channels come with a mean and a spread of their own, and leave with β and γ.",
]


@lab("batch-norm", section="8.5")
def batch_norm_lab(
    lr: Positive = 0.1,
    num_steps: Annotated[int, Bounds(10, 1000, whole=True)] = 80,
    batch_size: Annotated[int, Bounds(2, 1024, whole=True)] = 64,
    momentum: Annotated[float, Bounds(0.001, 1)] = 0.1,
    activation: Activation = "relu",
    seed: Whole = 0,
) -> Report:
    """LeNet with and without batch norm at three learning rates; training against prediction.

    Args:
        lr: the middle learning rate; a tenth and ten times as much stand beside it.
        num_steps: training batches.
        batch_size: images of a training batch.
        momentum: weight of a new batch in the moving statistics.
        activation: of both nets; without batch norm, sigmoid does not start to learn.
        seed: of images, weights and batches.

    Raises:
        UsageError: the middle learning rate is too large even with batch norm.
    """
    with preserved_random_state():
        train, val = drawn_images(seed)
        without, norm = list[Run](), list[Run]()
        for rate in (lr / 10, lr, 10 * lr):
            plain, model = nets(rate, activation, momentum, seed)
            without.append(trained(plain, train, num_steps, batch_size, seed))
            watched = val if rate == lr else None
            norm.append(trained(model, train, num_steps, batch_size, seed, watched))
    net, X = norm[1].model, val[0]
    if not all(in_copy(net, X, training).isfinite().all() for training in (False, True)):
        raise UsageError(f"with lr={lr:g} the net no longer gives finite numbers: pass less")
    report = report_on_modes(norm[1], val, momentum, seed)
    report.tables["learning rates"] = [
        rate_row(*pair, val) for pair in zip(without, norm, strict=True)
    ]
    report.figures["rates"] = rates_figure({"without": without, "with": norm})
    return report


def report_on_modes(run: Run, val: Images, momentum: float, seed: int) -> Report:
    """What one net with batch norm does in training, and what in prediction."""
    net, X = run.model, val[0]
    alone = in_copy(net, X[:1], training=False).max().item()
    company = in_company(net, X, SIZES, TIMES, seed)
    enough = batches_to_reach(0.99, momentum)
    way = way_of_the_mean(momentum, enough)
    return Report(
        numbers={
            "accuracy in prediction": accuracy(net, val, training=False),
            "accuracy with the batch's statistics": accuracy(net, val, training=True),
            "batches to 99 % of the way": enough,
        },
        tables={"what changes from training to prediction": mode_table(net, X)},
        figures={
            "axes": axes_figure(),
            "activations": activations_figure(around_norms(net, X)),
            "modes": modes_figure(run, company, alone, way),
        },
        notes=list(NOTES),
    )


@torch.no_grad()
def accuracy(net: ConvNet, val: Images, training: bool) -> float:
    """The share of right guesses in one of the modes."""
    return net.accuracy(in_copy(net, val[0], training), val[1]).item()


def rate_row(without: Run, norm: Run, val: Images) -> dict[str, Any]:
    """Both nets at one learning rate."""
    row: dict[str, Any] = {"lr": without.model.lr}
    for name, run in (("without", without), ("with", norm)):
        row[f"{name}: last loss"] = run.last_loss
        row[f"{name}: accuracy"] = accuracy(run.model, val, training=False)
    return row


def mode_table(net: ConvNet, X: Tensor) -> list[dict[str, Any]]:
    """What is measured in training mode, and what in prediction."""
    rows = {
        "other company moves an image's outputs by up to": moved_by_company,
        "a call moves the moving means by up to": moved_by_a_call,
        "a batch of one image": fate_of_one,
    }
    return [
        {"what": what, "training": measure(net, X, True), "prediction": measure(net, X, False)}
        for what, measure in rows.items()
    ]


def moved_by_company(net: ConvNet, X: Tensor, training: bool) -> float:
    """The first eight images, with the eight behind them and with another eight."""
    first, second = (
        in_copy(net, torch.cat([X[:8], X[start : start + 8]]), training)[:8] for start in (8, 16)
    )
    return (first - second).abs().max().item()


def fate_of_one(net: ConvNet, X: Tensor, training: bool) -> str:
    """Whether it has an output."""
    try:
        in_copy(net, X[:1], training)
    except ValueError:
        return "is refused"
    return "has its output"
