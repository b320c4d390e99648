"""What all convolutional classifiers share: first weights, sizes, optimizer (sections 7.6, 8.1)."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.loader import TensorLoader
from freedive.core.module import Classifier
from freedive.core.schedules import scheduled
from freedive.topics.convolution import concise, scratch
from freedive.topics.convolution.sizes import output_size

Window = tuple[int, int, int]  # kernel size, stride and padding of a layer that changes the size
# what trains a network in few epochs: settings that the presets share
COSINE: dict[str, Any] = {"momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine"}


def init_cnn(module: nn.Module, activation: Literal["sigmoid", "relu"] = "sigmoid") -> None:
    """Initialise the weights of linear and convolutional layers; biases stay as they are.

    Xavier's U(±√(6/(n_in + n_out))) for sigmoid, He's N(0, 2/n_in) for ReLU (sections 5.4, 8.6).
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, scratch.Conv2d)):
            if activation == "relu":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)


def mean_head(channels: int, num_classes: int) -> nn.Sequential:
    """The mean of each channel over all pixels, and a dense layer for the logits."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(channels, num_classes)
    )


def side_after(side: int, windows: Iterable[Window]) -> int:
    """Height and width of a feature map behind some layers."""
    for kernel, stride, padding in windows:
        side = output_size(side, kernel, padding, stride)
    return side


def smallest_side(windows: Iterable[Window]) -> int:
    """The smallest image of which one pixel is left: n ← (n − 1)s + k − 2p, from the last layer."""
    side = 1
    for kernel, stride, padding in reversed(list(windows)):
        side = max(1, (side - 1) * stride + kernel - 2 * padding)
    return side


class ConvNet(Classifier):
    """Base of the convolutional networks: a classifier of square images.

    A subclass takes these arguments and its own, and builds its layers from ``self.layers``: those
    of `torch.nn`, or those written from tensors up.

    Args:
        in_channels: channels of an image.
        image_size: height and width of an image.
        num_classes: classes.
        lr: the learning rate, or its peak where there is a schedule.
        momentum: of SGD; above 0 it is Nesterov's.
        weight_decay: λ of the L2 penalty.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
    """

    layers: ClassVar[ModuleType] = concise  # where Conv2d, BatchNorm2d, MaxPool2d … come from
    any_size: ClassVar[bool] = False  # a mean over all pixels before the dense layer takes any
    smallest = 1  # side of an image
    net: nn.Sequential
    in_channels: int
    image_size: int
    num_classes: int
    momentum: float
    weight_decay: float
    schedule: str

    def final_side(self, windows: Iterable[Window]) -> int:
        """The side of the last feature map.

        Raises:
            UsageError: the images are too small for so many layers.
        """
        windows = list(windows)
        self.smallest = smallest = smallest_side(windows)
        if self.image_size < smallest:
            raise UsageError(
                f"{type(self).__name__} wants images of at least {smallest}×{smallest}, got "
                f"{self.image_size}×{self.image_size}: pass resize={max(smallest, 28)} to the data"
            )
        return side_after(self.image_size, windows)

    def forward(self, X: Tensor) -> Float[Tensor, "batch classes"]:
        """The logits.

        Raises:
            UsageError: other images than the layers were made for.
        """
        size, sides = self.image_size, X.shape[2:]
        fits = min(sides, default=0) >= self.smallest if self.any_size else sides == (size, size)
        if X.dim() != 4 or X.shape[1] != self.in_channels or not fits:
            raise UsageError(
                f"{type(self).__name__} was made for images of {self.in_channels}×{size}×{size}, "
                f"got a batch of {'×'.join(map(str, X.shape))}: pass resize={size} to the data, or "
                "in_channels and image_size to the model"
            )
        return super().forward(X)

    def training_step(self, batch: Any) -> Tensor:
        """The loss of a batch; one example has no spread for batch norm to divide by."""
        if len(batch[-1]) == 1 and self.has_batch_norm:
            raise UsageError(f"{self._wants_two}, got a batch of 1: drop it or pass a larger one")
        return super().training_step(batch)

    def configure_optimizers(self) -> Any:
        """SGD with the book's constant rate, or with momentum and a schedule over all steps."""
        optim = torch.optim.SGD(
            self.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.momentum > 0,
        )
        trainer = self.trainer
        if trainer is None:
            return optim
        self._refuse_lone_example(trainer.train_dataloader, trainer.limit_batches)
        return scheduled(optim, trainer, self.schedule)

    @property
    def has_batch_norm(self) -> bool:
        """Whether a layer keeps running means of batches."""
        return any(name.endswith("running_mean") for name, _ in self.named_buffers())

    @property
    def _wants_two(self) -> str:
        return (
            f"{type(self).__name__} has batch norm, which wants at least 2 examples in a "
            "training batch"
        )

    def _refuse_lone_example(self, loader: Any, limit: int | None) -> None:
        """Find a last batch of one before the first step, not after an epoch."""
        if not isinstance(loader, TensorLoader) or not self.has_batch_norm:
            return
        n, size = loader.num_examples, loader.batch_size
        if (n - 1) % size or (limit or len(loader)) < len(loader):
            return
        way_out = "give it more"
        if n > 1:
            way_out = f"pass batch_size={next(b for b in range(size + 1, n + 2) if (n - 1) % b)}"
        raise UsageError(f"{self._wants_two}, got {n} in batches of {size}: {way_out}")
