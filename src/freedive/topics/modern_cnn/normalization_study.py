"""LeNet with and without batch norm, trained on small garments and watched (section 8.5)."""

import copy
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.random import generator, seed_everything
from freedive.data.fashion_mnist import Garments
from freedive.data.images import as_floats
from freedive.topics.convolution.convnet import ConvNet
from freedive.topics.convolution.lenet import LeNet
from freedive.topics.modern_cnn.lenet_bn import BNLeNet
from freedive.topics.modern_cnn.scratch import BatchNorm1d

SIDE = 16  # of the images
JUDGE_EVERY = 4  # steps
Images = tuple[Tensor, Tensor]
Activation = Literal["sigmoid", "relu"]


@dataclass
class Run:
    """A net and what was noted while it was trained.

    Attributes:
        model: the net.
        losses: of every training batch.
        batch_means: of each channel behind the first convolution, in every batch.
        moving_means: of the same channels, before every batch.
        judged: step, and the validation loss in prediction and in training mode.
    """

    model: ConvNet
    losses: list[float] = field(default_factory=list)
    batch_means: list[Tensor] = field(default_factory=list)
    moving_means: list[Tensor] = field(default_factory=list)
    judged: list[tuple[int, float, float]] = field(default_factory=list)

    @property
    def last_loss(self) -> float:
        """The mean over the last ten batches."""
        last = self.losses[-10:]
        return sum(last) / len(last)


def drawn_images(seed: int, num_train: int = 1024, num_val: int = 256) -> tuple[Images, Images]:
    """Garments drawn by code, to learn from and to judge by."""
    data = Garments(data_seed=seed, num_train=num_train, num_val=num_val, size=SIDE)
    (X, y), (X_val, y_val) = data.train, data.val
    return (as_floats(X), y), (as_floats(X_val), y_val)


def norms(model: ConvNet) -> list[Any]:
    """The batch norm layers, in their order."""
    return [layer for layer in model.net if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))]


def nets(lr: float, activation: Activation, momentum: float, seed: int) -> tuple[ConvNet, ConvNet]:
    """LeNet without and with batch norm: all other layers are the same, and start equal."""
    seed_everything(seed)
    plain = LeNet(image_size=SIDE, lr=lr, activation=activation)
    model = BNLeNet(image_size=SIDE, lr=lr, activation=activation, padding=2)
    others = [layer for layer in model.net if layer not in norms(model)]
    for ours, theirs in zip(others, plain.net, strict=True):
        ours.load_state_dict(theirs.state_dict())
    for layer in norms(model):
        layer.momentum = momentum
    return plain, model


def trained(
    model: ConvNet,
    train: Images,
    num_steps: int,
    batch_size: int,
    seed: int,
    val: Images | None = None,
) -> Run:
    """Plain SGD on batches drawn at random, the same for every net; watched where ``val`` is."""
    run, optim, chance = Run(model), model.configure_optimizers(), generator(seed)
    for step in range(num_steps):
        batch = torch.randint(len(train[0]), (batch_size,), generator=chance)
        X, y = (column[batch] for column in train)
        if val is not None:
            watch(run, X, val, step)
        loss = model.loss(model(X), y)
        optim.zero_grad()
        loss.backward()
        optim.step()
        run.losses.append(loss.item())
    return run


@torch.no_grad()
def watch(run: Run, X: Tensor, val: Images, step: int) -> None:
    """Note means of a net with batch norm and, now and then, its loss in both modes."""
    run.batch_means.append(run.model.net[0](X).mean((0, 2, 3)))
    run.moving_means.append(norms(run.model)[0].running_mean.clone())
    if step % JUDGE_EVERY == 0:
        in_mode = [in_copy(run.model, val[0], training) for training in (False, True)]
        prediction, training = (run.model.loss(y_hat, val[1]).item() for y_hat in in_mode)
        run.judged.append((step, prediction, training))


@torch.no_grad()
def in_copy(model: nn.Module, X: Tensor, training: bool) -> Tensor:
    """The outputs of a copy in one of the modes, so that the model's averages stay."""
    return copy.deepcopy(model).train(training)(X)


@torch.no_grad()
def moved_by_a_call(model: ConvNet, X: Tensor, training: bool) -> float:
    """How far one call in a mode moves the moving means, at most."""
    other = copy.deepcopy(model).train(training)
    other(X)
    pairs = zip(norms(model), norms(other), strict=True)
    return max((a.running_mean - b.running_mean).abs().max().item() for a, b in pairs)


@torch.no_grad()
def in_company(
    model: ConvNet, X: Tensor, sizes: tuple[int, ...], times: int, seed: int
) -> dict[int, list[float]]:
    """The largest logit of the first image, in training mode in the company of others.

    Gives for each size of a batch what came out in so many batches.
    """
    model, chance = copy.deepcopy(model).train(), generator(seed, 1)
    unit = int(in_copy(model, X[:1], training=False).argmax())
    found: dict[int, list[float]] = {}
    for size in sizes:
        others = torch.randint(1, len(X), (times, size - 1), generator=chance)
        batches = torch.cat([torch.zeros(times, 1, dtype=torch.int64), others], dim=1)
        found[size] = [model(X[batch])[0, unit].item() for batch in batches]
    return found


@torch.no_grad()
def around_norms(
    model: ConvNet, X: Tensor
) -> list[tuple[Float[Tensor, "channels values"], Float[Tensor, "channels values"]]]:
    """What goes into each batch norm in training mode, and what comes out, channel by channel."""
    model = copy.deepcopy(model).train()
    outputs = [X]
    for layer in model.net:
        outputs.append(layer(outputs[-1]))
    pairs = zip(pairwise(outputs), model.net, strict=True)
    normalised = [pair for pair, layer in pairs if layer in norms(model)]
    return [(by_channel(before), by_channel(after)) for before, after in normalised]


def by_channel(X: Float[Tensor, "batch channels *axes"]) -> Float[Tensor, "channels values"]:
    """The values of each channel in a row."""
    return X.transpose(0, 1).flatten(1)


def batches_to_reach(share: float, momentum: float) -> int:
    """The least n with 1 − (1 − momentum)ⁿ ≥ share."""
    return 1 if momentum == 1 else math.ceil(math.log(1 - share) / math.log(1 - momentum))


def way_of_the_mean(momentum: float, num_batches: int) -> list[float]:
    """Where a moving mean stands after 0, 1, 2 … batches whose mean is 1."""
    layer, X = BatchNorm1d(1, momentum=momentum).double(), torch.tensor([[0.5], [1.5]]).double()
    way = [0.0]
    for _ in range(num_batches):
        layer(X)
        way.append(layer.state_dict()["running_mean"].item())
    return way
