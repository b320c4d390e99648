"""What `Variable`s go through beside arithmetic: each operation next to its derivative.

Every formula names what flows back for the gradient g of the output. The module is meant to be
used under a short name:

>>> from freedive.topics.calculus import operations as ops
>>> x = Variable([-1.0, 2.0, 3.0])
>>> ops.sum(ops.relu(x) ** 2).backward()
>>> x.gradient
tensor([0., 4., 6.])
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.calculus.autodiff import Axis, Operand, Variable, constant, record

# entry by entry


def exp(x: Variable) -> Variable:
    """eˣ: g eˣ."""
    y = torch.exp(x.value)
    return record("exp", y, (x, lambda g: g * y))


def log(x: Variable) -> Variable:
    """log x: g / x."""
    a = x.value
    return record("log", torch.log(a), (x, lambda g: g / a))


def sin(x: Variable) -> Variable:
    """sin x: g cos x."""
    a = x.value
    return record("sin", torch.sin(a), (x, lambda g: g * torch.cos(a)))


def tanh(x: Variable) -> Variable:
    """y = tanh x: g (1 − y²)."""
    y = torch.tanh(x.value)
    return record("tanh", y, (x, lambda g: g * (1 - y * y)))


def sigmoid(x: Variable) -> Variable:
    """y = 1 / (1 + e⁻ˣ): g y (1 − y)."""
    y = torch.sigmoid(x.value)
    return record("σ", y, (x, lambda g: g * y * (1 - y)))


def relu(x: Variable) -> Variable:
    """max(x, 0): g where x > 0, else 0."""
    positive = x.value > 0
    return record("relu", x.value.clamp(min=0), (x, lambda g: g * positive))


def where(condition: Bool[Tensor, "..."], a: Operand, b: Operand) -> Variable:
    """a where the condition holds, else b: g goes to the one that was taken, 0 to the other."""
    beside = next((v for v in (a, b) if isinstance(v, Variable)), Variable(0.0, tracked=False))
    a, b = constant(a, beside), constant(b, beside)
    return record(
        "where",
        torch.where(condition, a.value, b.value),
        (a, lambda g: g * condition),
        (b, lambda g: g * ~condition),
    )


# over axes; g gets back the axes that were summed away, so that it spreads along them


def sum(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Σ x: g to every entry."""
    axes, kept, shape = _axes(x, axis, keepdims)
    y = x.value.sum(dim=axes) if axes else x.value
    return record("Σ", y.reshape(shape), (x, lambda g: g.reshape(kept).expand(x.shape)))


def mean(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Σ x / n: g / n to every entry."""
    axes, kept, shape = _axes(x, axis, keepdims)
    n = math.prod(x.shape[i] for i in axes)
    y = x.value.sum(dim=axes) / n if axes else x.value
    return record("mean", y.reshape(shape), (x, lambda g: (g / n).reshape(kept).expand(x.shape)))


def max(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest entry gets g; where several are equally large, each gets its share."""
    axes, kept, shape = _axes(x, axis, keepdims)
    y = x.value.amax(dim=axes, keepdim=True) if axes else x.value

    def to_largest(g: Tensor) -> Tensor:
        largest = (x.value == y).to(g.dtype)
        return g.reshape(kept) * largest / largest.sum(dim=axes or None, keepdim=bool(axes))

    return record("max", y.reshape(shape), (x, to_largest))


def _axes(x: Variable, axis: Axis, keepdims: bool) -> tuple[tuple[int, ...], list[int], list[int]]:
    """The axes to reduce, and the output's shape with them and as asked."""
    rank = x.value.dim()
    asked = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    for i in asked:
        if not -rank <= i < rank:
            raise UsageError(f"axis {i} is not one of shape {x.shape}: pass {-rank} to {rank - 1}")
    axes = tuple(i % rank for i in asked)
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return axes, kept, kept if keepdims else [n for i, n in enumerate(x.shape) if i not in axes]


# of shape: the entries stay, and g takes the same way back


def reshape(x: Variable, *shape: int) -> Variable:
    """The same entries in another shape: g in the old one."""
    return record("reshape", x.value.reshape(shape), (x, lambda g: g.reshape(x.shape)))


def transpose(x: Variable, first: int = -2, second: int = -1) -> Variable:
    """Two axes swapped, those of a matrix if not told: g with the same two swapped back."""
    y = x.value.transpose(first, second)
    return record("ᵀ", y, (x, lambda g: g.transpose(first, second)))


def concatenate(parts: Sequence[Variable], axis: int = 0) -> Variable:
    """Joined along an axis: each part gets its own piece of g."""
    sizes = [part.shape[axis] for part in parts]
    y = torch.cat([part.value for part in parts], dim=axis)
    inputs = [(part, lambda g, i=i: g.split(sizes, dim=axis)[i]) for i, part in enumerate(parts)]
    return record("concat", y, *inputs)


# from logits to a loss


def softmax(x: Variable, axis: int = -1) -> Variable:
    """p = eˣ / Σ eˣ: p (g − Σ g p)."""
    p = _softmax(x.value, axis)
    return record("softmax", p, (x, lambda g: p * (g - (g * p).sum(dim=axis, keepdim=True))))


def log_softmax(x: Variable, axis: int = -1) -> Variable:
    """x − log Σ eˣ: g − p Σ g, where p is the softmax."""
    y = _log_softmax(x.value, axis)
    return record("log p", y, (x, lambda g: g - y.exp() * g.sum(dim=axis, keepdim=True)))


def cross_entropy(logits: Variable, labels: Int[Tensor, " batch"]) -> Variable:
    """The mean over the batch of −log p of the label: g (p − y) / n, where y is 1 at the label.

    Raises:
        UsageError: logits that are not one row for each label.
    """
    n = len(labels)
    if logits.value.dim() != 2 or logits.shape[0] != n:
        raise UsageError(f"cross_entropy wants logits of shape ({n}, classes) for {n} labels, "
                         f"got {logits.shape}")  # fmt: skip
    log_p = _log_softmax(logits.value, axis=1)
    y = torch.zeros_like(log_p).scatter(1, labels[:, None], 1.0)
    loss = -log_p.gather(1, labels[:, None]).mean()
    return record("cross-entropy", loss, (logits, lambda g: g * (log_p.exp() - y) / n))


def _log_softmax(x: Tensor, axis: int) -> Tensor:
    x = x - x.amax(dim=axis, keepdim=True)  # eˣ of a large x is infinite, of x − max never
    return x - x.exp().sum(dim=axis, keepdim=True).log()


def _softmax(x: Tensor, axis: int) -> Tensor:
    return _log_softmax(x, axis).exp()
