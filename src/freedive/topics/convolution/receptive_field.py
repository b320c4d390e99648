"""The pixels that one number of a feature map depends on (section 7.2.6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.convolution.scratch import conv2d
from freedive.topics.convolution.sizes import at_least

MOST = 100  # layers: the number of paths stays finite
LARGEST = 10_000  # pixels of the row on which fields are measured


@dataclass(frozen=True)
class Layer:
    """A convolution or a pooling, by what its windows look like.

    Raises:
        UsageError: a number is below 1.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        at_least(1, kernel=self.kernel, stride=self.stride, dilation=self.dilation)

    def __str__(self) -> str:
        numbers = [self.kernel, self.stride, self.dilation]
        return "/".join(map(str, numbers[: 3 if self.dilation > 1 else 2]))


@dataclass(frozen=True)
class Field:
    """What one number sees.

    Attributes:
        size: pixels from the first to the last.
        jump: pixels from its field to its neighbour's.
    """

    size: int = 1
    jump: int = 1

    def through(self, layer: Layer) -> "Field":
        """The field of a number behind one more layer: r ← r + d(k − 1)j, j ← js."""
        size = self.size + layer.dilation * (layer.kernel - 1) * self.jump
        return Field(size, self.jump * layer.stride)


def read_layers(text: str) -> list[Layer]:
    """Layers written as kernel, kernel/stride or kernel/stride/dilation, in their order.

    >>> read_layers("5/1 2/2")
    [Layer(kernel=5, stride=1, dilation=1), Layer(kernel=2, stride=2, dilation=1)]
    """
    layers = []
    for word in text.replace(",", " ").split():
        numbers = word.split("/")
        if len(numbers) > 3 or not all(number.isdecimal() for number in numbers):
            raise UsageError(
                f"a layer wants to be kernel/stride or kernel/stride/dilation, got {word!r}: "
                "pass such as '5/1 2/2 3/1/2'"
            )
        layers.append(Layer(*map(int, numbers)))
    if not 1 <= len(layers) <= MOST:
        given = f"wanted are 1 to {MOST} layers, got {len(layers)}"
        raise UsageError(f"{given}: pass such as '5/1 2/2'")
    return layers


def receptive_fields(layers: Iterable[Layer]) -> list[Field]:
    """The field of a pixel, and that of a number behind each layer."""
    return list(accumulate(layers, Field.through, initial=Field()))


def paths(layers: Sequence[Layer]) -> Float[Tensor, " pixels"]:
    """On how many ways each pixel of a row reaches the middle one of three outputs.

    These are the gradients where all weights are 1; a pixel outside of the field has none.

    Raises:
        UsageError: the row would be too long.
    """
    field = receptive_fields(layers)[-1]
    length = field.size + 2 * field.jump
    if length > LARGEST:
        raise UsageError(
            f"three outputs of these layers see {length} pixels, more than {LARGEST}: "
            "pass fewer layers or smaller strides"
        )
    row = torch.zeros(1, 1, 1, length, dtype=torch.float64, requires_grad=True)
    Y: Tensor = row
    for layer in layers:
        ones = torch.ones(1, 1, 1, layer.kernel, dtype=torch.float64)
        Y = conv2d(Y, ones, stride=(1, layer.stride), dilation=(1, layer.dilation))
    (gradient,) = torch.autograd.grad(Y[0, 0, 0, 1], row)
    return gradient[0, 0, 0]


def measured(ways: Float[Tensor, " pixels"]) -> tuple[int, int]:
    """From the first to the last pixel that is reached, and how many of these are reached."""
    reached = ways.nonzero()[:, 0]
    return int(reached[-1] - reached[0]) + 1, len(reached)
