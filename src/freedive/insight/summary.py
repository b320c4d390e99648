"""The layers of a model as a table, found without running it on data."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One row: a module that computes something itself.

    Attributes:
        path: where it stands in the model; empty for the model itself.
        kind: its class.
        output_shape: of its last call, with the batch axis.
        parameters: how many numbers it learns; what is shared counts at its first owner.
    """

    path: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Summary:
    """All layers of a model in the order of their calls."""

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int


def summary(model: nn.Module, input_shape: Sequence[int]) -> Summary:
    """Shapes and parameters of every layer, computed on meta tensors: no data, no memory.

    Args:
        model: is left as it is.
        input_shape: of one batch, such as ``(1, 1, 28, 28)``.
    """
    twin = copy.deepcopy(model).to("meta").eval()
    seen: set[int] = set()
    layers: list[Layer] = []

    def note(path: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
            seen.update(map(id, own))
            shape = tuple(output.shape) if isinstance(output, Tensor) else ()
            count = sum(p.numel() for p in own)
            layers.append(Layer(path, type(module).__name__, shape, count))

        return hook

    for path, module in twin.named_modules():
        if not list(module.children()) or list(module.parameters(recurse=False)):
            module.register_forward_hook(note(path, module))
    with torch.no_grad():
        twin(torch.empty(*input_shape, device="meta"))
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return Summary(
        tuple(layers), sum(n for n, _ in counts), sum(n for n, learns in counts if learns)
    )
