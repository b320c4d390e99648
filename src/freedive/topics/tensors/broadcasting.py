"""Broadcasting from scratch: which shapes meet, and how one array serves a larger one (2.1.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from freedive.core.errors import UsageError

Shape = Sequence[int]


@dataclass(frozen=True)
class AxisRule:
    """What broadcasting does along one axis, counted from the last, which is −1.

    Attributes:
        axis: −1, −2, …
        a: the first shape's size there; None where it has no such axis.
        b: the second's.
        size: the result's.
    """

    axis: int
    a: int | None
    b: int | None
    size: int

    @property
    def reading(self) -> str:
        """What happens, in words."""
        words = []
        for name, size in (("a", self.a), ("b", self.b)):
            if size is None:
                words.append(f"{name} has no such axis: used {self.size} times")
            elif size != self.size:
                words.append(f"{name}'s single entry is used {self.size} times")
        return ", ".join(words) or "equal: entry meets entry"


def axis_rules(a: Shape, b: Shape) -> list[AxisRule]:
    """Lay two shapes under each other from the right and decide axis by axis.

    Sizes meet where they are equal, where one of them is 1, and where one is not there.

    Raises:
        UsageError: two sizes differ and none of them is 1.
    """
    rules = []
    for axis in range(-1, -1 - max(len(a), len(b)), -1):
        m, n = (shape[axis] if -axis <= len(shape) else None for shape in (a, b))
        sizes = {size for size in (m, n) if size not in (None, 1)}
        if len(sizes) > 1:
            raise UsageError(
                f"shapes {written(a)} and {written(b)} do not broadcast: axis {axis} has sizes "
                f"{m} and {n}, which want to be equal, or one of them 1 (keepdim=True keeps a 1)"
            )
        rules.append(AxisRule(axis, m, n, sizes.pop() if sizes else 1))
    return rules


def broadcast_shape(a: Shape, b: Shape) -> tuple[int, ...]:
    """The shape of the result.

    >>> broadcast_shape((3, 1), (1, 2))
    (3, 2)
    >>> broadcast_shape((2, 3, 4), (4,))
    (2, 3, 4)

    Raises:
        UsageError: the shapes do not meet.
    """
    return tuple(rule.size for rule in reversed(axis_rules(a, b)))


def stretched(X: Shaped[Tensor, "..."], shape: Shape) -> Shaped[Tensor, "..."]:
    """X as if it had that shape, without a copy: along a stretched axis a step is 0 entries long.

    Raises:
        UsageError: X cannot be stretched to that shape.
    """
    if broadcast_shape(X.shape, shape) != tuple(shape):
        raise UsageError(
            f"an array of shape {written(X.shape)} cannot be stretched to {written(shape)}: "
            "only an axis of size 1, or one that is not there, becomes longer"
        )
    missing = len(shape) - X.dim()
    strides = [0] * missing + [
        step if size == wanted else 0
        for size, wanted, step in zip(X.shape, shape[missing:], X.stride(), strict=True)
    ]
    return X.as_strided(tuple(shape), strides, X.storage_offset())


def is_stored(X: Shaped[Tensor, "..."], shape: Shape) -> Shaped[Tensor, "..."]:
    """True at the entries of the stretched array that X itself has, False at their repetitions."""
    mask = torch.ones(tuple(shape), dtype=torch.bool)
    own = (1,) * (len(shape) - X.dim()) + tuple(X.shape)
    for axis, (size, wanted) in enumerate(zip(own, shape, strict=True)):
        if size != wanted:
            mask.narrow(axis, min(1, wanted), max(0, wanted - 1)).fill_(False)  # the rest repeat it
    return mask


def written(shape: Shape) -> str:
    """A shape as Python writes it.

    >>> written([3])
    '(3,)'
    """
    return str(tuple(int(size) for size in shape))
