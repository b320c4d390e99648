"""What happens inside one call: which tensors are used, and what activations answer."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

RELUS = ("relu", "relu_")
RELU_LIKE = ("max", "maximum", "clamp", "clamp_min")  # max(X, 0) written by hand
SIGMOIDS = {"sigmoid": (0.01, 0.99), "tanh": (-0.99, 0.99)}  # what lies outside is flat
# these pass on their input, perhaps scaled or in another shape
CARRIES = (
    *("View", "Reshape", "UnsafeView", "ReshapeAlias", "T", "Transpose", "Permute", "Squeeze"),
    *("Unsqueeze", "Expand", "Clone", "Alias", "Mul", "Div", "AvgPool2D", "AdaptiveAvgPool2D"),
    *("Mean", "ToCopy", "NativeDropout", "MkldnnReshape"),
)


def storage(tensor: Tensor) -> int:
    """A number that is equal for a tensor and whatever shares its memory."""
    return int(tensor.untyped_storage()._cdata)


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    return [part for part in tree_leaves(value) if isinstance(part, Tensor)]


class Witness(TorchFunctionMode):
    """Sees every torch function that a model calls.

    Attributes:
        used: the storages of all tensors that were arguments.
        dead: the paths of ReLUs, and the share of their units that were zero throughout.
        flat: the paths of sigmoids and tanhs, the share of their outputs on the flat ends, and
            the output itself.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.used: set[int] = set()
        self.dead: list[tuple[str, float]] = []
        self.flat: list[tuple[str, float, Tensor]] = []
        self._within = [""]
        for path, module in model.named_modules():
            module.register_forward_pre_hook(lambda m, i, path=path: self._within.append(path))
            module.register_forward_hook(lambda m, i, o: self._leave(), always_call=True)

    def _leave(self) -> None:
        self._within.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name == "__get__":  # X.shape uses no numbers
            return func(*args, **(kwargs or {}))
        self.used.update(map(storage, tensors_in((args, kwargs))))
        output = func(*args, **(kwargs or {}))
        if isinstance(output, Tensor) and output.is_floating_point() and output.numel():
            self._note(name, args, kwargs or {}, output)
        return output

    @torch.no_grad()
    def _note(self, name: str, args: Any, kwargs: Any, output: Tensor) -> None:
        path = self._within[-1]
        if (name in RELUS or (name in RELU_LIKE and _from_zero(args, kwargs))) and output.dim() > 1:
            units = output.movedim(1 if output.dim() > 3 else -1, 0).flatten(1)
            self.dead.append((path, 1 - float((units > 0).any(dim=1).float().mean())))
        elif name.rstrip("_") in SIGMOIDS:
            low, high = SIGMOIDS[name.rstrip("_")]
            share = float(((output < low) | (output > high)).float().mean())
            self.flat.append((path, share, output))


def _from_zero(args: Any, kwargs: Any) -> bool:
    """Whether the second argument of a maximum is zero, or all zeros."""
    floor = [*args[1:2], *(kwargs[n] for n in ("min", "other") if n in kwargs)]
    if not floor:
        return False
    zero = floor[0]
    return not zero.any() if isinstance(zero, Tensor) else type(zero) in (int, float) and zero == 0


def ancestors(outputs: Iterable[Tensor]) -> Iterator[Any]:
    """Every node of the autograd graph behind some tensors, once."""
    stack = [t.grad_fn for t in outputs if t.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        new = {n for n, _ in node.next_functions if n is not None} - seen
        seen |= new
        stack += new


def graph_leaves(outputs: Iterable[Tensor]) -> list[Tensor]:
    """The tensors that require a gradient and that no operation made."""
    return [n.variable for n in ancestors(outputs) if hasattr(n, "variable")]


def kind(node: Any) -> str:
    """The operation of a node: ``Addmm`` of ``AddmmBackward0``."""
    return str(node.name()).partition("Backward")[0]


def carried(node: Any) -> Any:
    """The node that really made a tensor: reshapes, dropout, averages and biases are passed by."""
    while node is not None:
        parents = [n for n, _ in node.next_functions if n is not None]
        if kind(node) == "Add":  # with a bias it carries; the sum of two branches is something new
            parents = [n for n in parents if leaf_of(n) is None]
        elif kind(node) not in CARRIES:
            return node
        node = parents[0] if len(parents) == 1 else None
    return None


def leaf_of(node: Any) -> Tensor | None:
    """The leaf that a node is, or reshapes."""
    while node is not None and kind(node) in CARRIES:
        node = node.next_functions[0][0]
    return getattr(node, "variable", None)
