"""Worked examples of convolution and pooling, with every sum written out (sections 7.2 to 7.5)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.convolution.drawing import short
from freedive.topics.convolution.scratch import conv2d, pool2d, windows

OperationName = Literal[
    "cross-correlation",
    "convolution",
    "channels",
    "output-channels",
    "groups",
    "1x1",
    "max-pooling",
    "avg-pooling",
]
POOLINGS = ("max-pooling", "avg-pooling")


@dataclass(frozen=True)
class Step:
    """One number of the output and what it is made of.

    Attributes:
        place: its output channel, row and column.
        window: the numbers that it sees, of each channel.
        kernel: what they are multiplied by; None for pooling.
        value: the number.
    """

    place: tuple[int, int, int]
    window: Float[Tensor, "channels height width"]
    kernel: Float[Tensor, "channels height width"] | None
    value: float


@dataclass(frozen=True)
class Example:
    """An operation on a small image of whole numbers, 0, 1, 2, …; a second channel is larger by 1.

    The kernels are made alike. A true convolution is shown as what it is computed by, a
    cross-correlation with the flipped kernel.
    """

    operation: OperationName
    size: int = 3
    kernel: int = 2
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        if self.pools and self.dilation > 1:
            raise UsageError(f"pooling has no dilation, got {self.dilation}: leave it at 1")

    @property
    def pools(self) -> bool:
        """Whether it takes a maximum or an average."""
        return self.operation in POOLINGS

    @property
    def groups(self) -> int:
        """Into how many parts the channels are cut."""
        return 2 if self.operation == "groups" else 1

    @property
    def image(self) -> Float[Tensor, "channels size size"]:
        """What goes in."""
        channels = {"channels": 2, "output-channels": 2, "groups": 2, "1x1": 3}
        return counted(1, channels.get(self.operation, 1), self.size)[0]

    @property
    def weight(self) -> Float[Tensor, "out_channels channels side side"]:
        """The kernels, as they are laid over the image."""
        shapes = {"channels": (1, 2), "output-channels": (3, 2), "groups": (2, 1), "1x1": (2, 3)}
        side = 1 if self.operation == "1x1" else self.kernel
        weight = counted(*shapes.get(self.operation, (1, 1)), side)
        return weight.flip(2, 3) if self.operation == "convolution" else weight

    @property
    def padded(self) -> Float[Tensor, "channels padded padded"]:
        """The image with its padding: −∞ for a maximum, else zeros."""
        empty = -math.inf if self.operation == "max-pooling" else 0.0
        return torch.constant_pad_nd(self.image, (self.padding,) * 4, empty)

    def output(self) -> Float[Tensor, "out_channels new_size new_size"]:
        """What comes out."""
        if self.pools:
            mode: Literal["max", "avg"] = "max" if self.operation == "max-pooling" else "avg"
            return pool2d(self.image, self.kernel, mode, self.stride, self.padding)
        settings = (self.stride, self.padding, self.dilation, self.groups)
        return conv2d(self.image[None], self.weight, None, *settings)[0]

    def steps(self) -> Iterator[Step]:
        """The numbers of the output, row by row."""
        Y, side = self.output(), 1 if self.operation == "1x1" else self.kernel
        views = windows(self.padded, side, self.stride, self.dilation)
        for o, i, j in torch.cartesian_prod(*map(torch.arange, Y.shape)).tolist():
            seen = views[:, i, j]
            if self.groups > 1 or self.pools:
                seen = seen[o : o + 1]
            yield Step((o, i, j), seen, None if self.pools else self.weight[o], float(Y[o, i, j]))

    def sum_of(self, step: Step) -> str:
        """A step written out: each product, a bracket for each channel."""
        numbers = [short(number) for number in step.window.flatten().tolist()]
        if self.operation == "max-pooling":
            return f"max({', '.join(numbers)}) = {short(step.value)}"
        if step.kernel is None:
            return f"({' + '.join(numbers)}) / {len(numbers)} = {short(step.value)}"
        factors = [short(factor) for factor in step.kernel.flatten().tolist()]
        products = [f"{a}·{b}" for a, b in zip(numbers, factors, strict=True)]
        size = len(products) // len(step.window)
        parts = [" + ".join(products[i : i + size]) for i in range(0, len(products), size)]
        if len(parts) > 1 and size > 1:
            parts = [f"({part})" for part in parts]
        return f"{' + '.join(parts)} = {short(step.value)}"


def counted(
    out_channels: int, channels: int, side: int
) -> Float[Tensor, "out_channels channels side side"]:
    """0, 1, 2, … row by row; every further channel, and every further kernel, larger by 1."""
    base = torch.arange(float(side**2)).reshape(side, side)
    larger = torch.arange(out_channels)[:, None] + torch.arange(channels)
    return base + larger[:, :, None, None]
