"""Reverse-mode automatic differentiation from scratch (section 2.5).

A `Variable` holds an array, what it was made from, and after `backward` its gradient. torch's
tensors serve as plain arrays here; torch's own autograd is never asked.

An operation is one call of `record`: its value and, for each of its inputs, the pullback: the
function that takes the gradient g of the output to the gradient of that input. Pullbacks know
nothing of broadcasting: whatever was spread, `backward` sums.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Union

import torch
from torch import Tensor

from freedive.core.errors import UsageError

if TYPE_CHECKING:
    from freedive.insight.graph import Graph

Operand = Union["Variable", Tensor, float]
Pullback = Callable[[Tensor], Tensor]
Axis = int | Sequence[int] | None

_recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside, operations compute their values and remember nothing."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def sum_to(g: Tensor, shape: Sequence[int]) -> Tensor:
    """Undo broadcasting: an entry that was used in many places gets the sum of their gradients."""
    g = g.sum(dim=tuple(range(g.dim() - len(shape)))) if g.dim() > len(shape) else g
    spread = [i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1]
    return g.sum(dim=spread, keepdim=True) if spread else g


class Variable:
    """An array that remembers how it was made.

    Attributes:
        value: the array, of floating-point numbers; change it after `backward`, never before.
        gradient: of whatever `backward` was called on, summed over all calls; None before.
        label: a name to draw it by.
        tracked: whether gradients flow to it; a constant, such as a number in a formula, is not.
        operation: the sign of the operation that made it.
        inputs: what it was made from, each with its pullback.
        depth: operations on the longest way to a leaf; no input lies as deep as its output.
    """

    def __init__(self, value: Any, label: str = "", tracked: bool = True) -> None:
        array = torch.as_tensor(value).detach()
        if tracked and not array.is_floating_point():
            raise UsageError(f"a variable wants floating-point numbers, got {array.dtype}: "
                             "pass 1.0 for 1, or tensor.float()")  # fmt: skip
        self.value, self.label, self.tracked = array, label, tracked
        self.gradient: Tensor | None = None
        self.operation = ""
        self.inputs: tuple[tuple[Variable, Pullback], ...] = ()
        self.depth = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the array's axes."""
        return tuple(self.value.shape)

    def item(self) -> float:
        """The value of a scalar, as a number."""
        return self.value.item()

    def named(self, label: str) -> "Variable":
        """Itself, with a name to be drawn by."""
        self.label = label
        return self

    def detach(self) -> "Variable":
        """Its value as a constant: what is computed from it sends no gradient back here."""
        return Variable(self.value, self.label, tracked=False)

    def zero_grad(self) -> None:
        """Forget the gradient, so that the next `backward` starts anew."""
        self.gradient = None

    def backward(self, upstream: Tensor | None = None) -> None:
        """Add to the gradient of every variable that this one was made from, and to its own.

        Args:
            upstream: the gradient of what lies beyond; 1 for a scalar if not given.

        Raises:
            UsageError: no upstream gradient for an array, one of another shape, or a constant.
        """
        if not self.tracked:
            raise UsageError("backward wants a result made from variables, got a constant: "
                             "was it computed under no_grad() or from detach()?")  # fmt: skip
        if upstream is None and self.value.numel() != 1:
            raise UsageError(f"backward of shape {self.shape} wants an upstream gradient of that "
                             "shape: pass one, or sum it first")  # fmt: skip
        g = torch.ones_like(self.value) if upstream is None else upstream.detach()
        if g.shape != self.value.shape:
            raise UsageError(f"the upstream gradient has shape {tuple(g.shape)}, "
                             f"backward wants {self.shape}: reshape it")  # fmt: skip
        arrived = {self: g}
        for node in sorted(self.ancestors(), key=lambda node: -node.depth):  # outputs first
            g = arrived.pop(node)
            node.gradient = g.clone() if node.gradient is None else node.gradient + g
            for parent, pullback in node.inputs:
                if parent.tracked:
                    flow = sum_to(pullback(g), parent.shape).to(parent.value.dtype)
                    arrived[parent] = arrived[parent] + flow if parent in arrived else flow

    def ancestors(self, constants: bool = False) -> "list[Variable]":
        """Itself and all that it was made from, each once; tracked ones only if not told."""
        found, waiting = {self: None}, [self]
        while waiting:
            for parent, _ in waiting.pop().inputs:
                if parent not in found and (parent.tracked or constants):
                    found[parent] = None
                    waiting.append(parent)
        return list(found)

    def to_graph(self) -> "Graph":
        """What it was made from, as a drawing: squares are variables, circles operations."""
        from freedive.topics.calculus.drawing import draw

        return draw(self)

    def __repr__(self) -> str:
        made = f", made by {self.operation}" if self.operation else ""
        return f"Variable({self.value.tolist()}{made})"

    # comparisons are of values: control flow is Python's own, and only what ran is recorded
    def __lt__(self, other: Operand) -> Tensor:
        return self.value < constant(other, self).value

    def __gt__(self, other: Operand) -> Tensor:
        return self.value > constant(other, self).value

    # arithmetic: f(a, b) and g ∂f/∂a, g ∂f/∂b

    def __add__(self, other: Operand) -> "Variable":
        """a + b: g to both."""
        b = constant(other, self)
        return record("+", self.value + b.value, (self, lambda g: g), (b, lambda g: g))

    def __sub__(self, other: Operand) -> "Variable":
        """a − b: g and −g."""
        b = constant(other, self)
        return record("−", self.value - b.value, (self, lambda g: g), (b, lambda g: -g))

    def __mul__(self, other: Operand) -> "Variable":
        """a b: g b and g a."""
        b = constant(other, self)
        x, y = self.value, b.value
        return record("×", x * y, (self, lambda g: g * y), (b, lambda g: g * x))

    def __truediv__(self, other: Operand) -> "Variable":
        """a / b: g / b and −g a / b²."""
        b = constant(other, self)
        x, y = self.value, b.value
        return record("÷", x / y, (self, lambda g: g / y), (b, lambda g: -g * x / (y * y)))

    def __pow__(self, other: Operand) -> "Variable":
        """aᵇ: g b aᵇ⁻¹ (0 where b = 0) and g aᵇ log a (0 where aᵇ = 0)."""
        b = constant(other, self)
        x, y = self.value, b.value
        z = x**y
        return record(
            "^",
            z,
            (self, lambda g: g * torch.where(y == 0, 0.0, y * x ** (y - 1))),
            (b, lambda g: g * torch.xlogy(z, x)),
        )

    def __neg__(self) -> "Variable":
        """−a: −g."""
        return record("−", -self.value, (self, lambda g: -g))

    def __matmul__(self, other: Operand) -> "Variable":
        """A B: G Bᵀ and Aᵀ G; a vector is a row on the left and a column on the right."""
        b = constant(other, self)
        x, y = self.value, b.value
        A, B = torch.atleast_2d(x), y.unsqueeze(1) if y.dim() == 1 else y

        def matrix(g: Tensor) -> Tensor:
            g = g.unsqueeze(-1) if y.dim() == 1 else g
            return g.unsqueeze(-2) if x.dim() == 1 else g

        def to_right(g: Tensor) -> Tensor:
            return matrix(g).mT @ A if y.dim() == 1 else A.mT @ matrix(g)

        return record("@", x @ y, (self, lambda g: matrix(g) @ B.mT), (b, to_right))

    def __radd__(self, other: Operand) -> "Variable":
        return constant(other, self) + self

    def __rsub__(self, other: Operand) -> "Variable":
        return constant(other, self) - self

    def __rmul__(self, other: Operand) -> "Variable":
        return constant(other, self) * self

    def __rtruediv__(self, other: Operand) -> "Variable":
        return constant(other, self) / self

    def __rpow__(self, other: Operand) -> "Variable":
        return constant(other, self) ** self

    def __rmatmul__(self, other: Operand) -> "Variable":
        return constant(other, self) @ self

    def __getitem__(self, key: Any) -> "Variable":
        """a[key]: each entry of g goes back to where it was taken; one taken twice gets the sum."""
        x = self.value
        origin = torch.arange(x.numel(), device=x.device).reshape(x.shape)[key].flatten()

        def put_back(g: Tensor) -> Tensor:
            return torch.zeros_like(x).flatten().index_add(0, origin, g.flatten()).reshape(x.shape)

        return record("[ ]", x[key], (self, put_back))


def constant(operand: Operand, like: Variable) -> Variable:
    """A variable as it is; a number or an array as a constant beside another variable."""
    if isinstance(operand, Variable):
        return operand
    if not isinstance(operand, Tensor):  # 0.1 has more digits in double precision
        operand = torch.as_tensor(operand, dtype=like.value.dtype, device=like.value.device)
    return Variable(operand, tracked=False)


def record(operation: str, value: Tensor, *inputs: tuple[Variable, Pullback]) -> Variable:
    """The output of an operation, with its inputs and their pullbacks where gradients flow."""
    tracked = _recording.get() and any(parent.tracked for parent, _ in inputs)
    output = Variable(value, tracked=tracked)
    if tracked:
        output.operation, output.inputs = operation, inputs
        output.depth = 1 + max(parent.depth for parent, _ in inputs)
    return output
