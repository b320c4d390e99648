"""How large activations, gradients and updates are, layer by layer (sections 5.4, 12.3)."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from freedive.insight.features import InsightError, call, preserved_chance, text_table, working_twin

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# of each layer: its kind, and the moments of its outputs and of their gradients, call by call
Passed = dict[str, tuple[str, list[Tensor], list[Tensor]]]
Grads = dict[str, Tensor | None]
SCALES = ("mean", "std", "rms")


@dataclass(frozen=True)
class Scale:
    """Mean, standard deviation and root mean square of some numbers."""

    mean: float
    std: float
    rms: float


@dataclass(frozen=True)
class LayerScale:
    """What a layer gives forward, and the gradient of the loss that comes back to it.

    Attributes:
        gradient: of the loss with respect to the outputs; None where none arrives.
    """

    path: str
    kind: str
    activation: Scale
    gradient: Scale | None


@dataclass(frozen=True)
class ParameterScale:
    """A parameter, its gradient and its next update.

    Attributes:
        gradient: None where none arrives.
        ratio: rms of the update / rms of the weight, near 1e-3 in many healthy networks; None
            where nothing is updated.
    """

    path: str
    weight: Scale
    gradient: Scale | None
    ratio: float | None


@dataclass(frozen=True)
class Gradients:
    """Scales of one training step: layers as they are called, parameters as the model has them."""

    loss: float
    layers: tuple[LayerScale, ...]
    parameters: tuple[ParameterScale, ...]

    def __str__(self) -> str:
        head = [f"{what} {name}" for what in ("output", "gradient") for name in SCALES]
        layers = [
            (x.path or "(model)", x.kind, *_cells(x.activation), *_cells(x.gradient))
            for x in self.layers
        ]
        parameters = [
            (p.path, _cells(p.weight)[-1], _cells(p.gradient)[-1], _number(p.ratio))
            for p in self.parameters
        ]
        weights = [("parameter", "rms", "gradient", "update/weight"), *parameters]
        tables = (
            text_table([("layer", "kind", *head), *layers], left=2),
            text_table(weights, left=1),
        )
        return "\n\n".join(tables)

    def figure(self) -> "Figure":
        """Activations and gradients by layer, updates by parameter, on logarithmic axes."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        paths = [layer.path or "(model)" for layer in self.layers]
        left.plot(paths, [x.activation.rms for x in self.layers], "o-", label="activation")
        backward = [x.gradient.rms if x.gradient else math.nan for x in self.layers]
        left.plot(paths, backward, "s--", label="gradient")
        left.set(ylabel="root mean square")
        left.legend()
        names = [p.path for p in self.parameters]
        right.plot(names, [math.nan if p.ratio is None else p.ratio for p in self.parameters], "o")
        right.axhline(1e-3, color="gray", linewidth=0.8)
        right.set(ylabel="update / weight")
        for axes in (left, right):
            axes.set_yscale("log", nonpositive="mask")
            axes.tick_params(axis="x", rotation=90)
            axes.grid(alpha=0.3)
        return figure


def gradients(
    model: nn.Module,
    batch: Sequence[Any],
    loss: Callable[[Any, Any], Tensor] | None = None,
    lr: float | None = None,
    optimizer: Any = None,
) -> Gradients:
    """Measure one training step without taking it: model, gradients and optimizer stay as they are.

    Args:
        model: any module, in the mode that is to be measured.
        batch: the inputs, and the target last.
        loss: of outputs and target; None takes the model's own ``loss``.
        lr: measures the updates of plain gradient descent, lr · gradient.
        optimizer: measures its own next updates instead, with the state that it has.

    Raises:
        InsightError: nothing can be differentiated, or the model fails on the batch.
    """
    loss = loss or getattr(model, "loss", None)
    if loss is None or len(batch) < 2:
        raise InsightError(
            "gradients wants a batch (inputs, target) and a loss, got "
            f"{len(batch)} part(s) and loss={loss}: pass loss=torch.nn.functional.cross_entropy"
        )
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    value, passed, grads = _pass(working_twin(model), batch, loss, learning)
    layers = tuple(
        LayerScale(path, kind, _scale(outputs), _scale(arrived) if arrived else None)
        for path, (kind, outputs, arrived) in passed.items()
    )
    updates = _updates(learning, grads, lr, optimizer)
    return Gradients(value, layers, tuple(_parameters(model, grads, updates)))


def _pass(
    twin: nn.Module,
    batch: Sequence[Any],
    loss: Callable[[Any, Any], Tensor],
    learning: dict[str, nn.Parameter],
) -> tuple[float, Passed, Grads]:
    """Forward and back: the loss, what was met on the way, the gradients of what learns."""
    passed: Passed = {}
    edges: list[tuple[str, Any]] = []
    for path, module in twin.named_modules():
        if not list(module.children()) or list(module.parameters(recurse=False)):
            module.register_forward_hook(_noting(path, passed, edges))
    with torch.enable_grad(), preserved_chance():
        inputs = [x.detach().clone() if isinstance(x, Tensor) else x for x in batch[:-1]]
        outputs = call(twin, tuple(inputs), {})
        try:
            value = loss(outputs, batch[-1])
        except Exception as error:
            told = (str(error).strip().splitlines() or [""])[0]
            raise InsightError(
                f"the loss raised {type(error).__name__}: {told}: pass one that takes (outputs, "
                "target) and the target that fits"
            ) from error
        if not value.requires_grad or value.numel() != 1:
            raise InsightError(
                f"the loss of {type(twin).__name__} wants to be one number that depends on a "
                f"parameter, got shape {tuple(value.shape)} and {len(learning)} parameter(s) that "
                "learn: take its mean, and let parameters require gradients"
            )
        wanted = [*learning.values(), *(edge for _, edge in edges)]
        found = torch.autograd.grad(value, wanted, allow_unused=True)
    for (path, _), grad in zip(edges, found[len(learning) :], strict=True):
        if grad is not None:
            passed[path][2].append(_moments(grad))
    return float(value.detach()), passed, dict(zip(learning, found, strict=False))


def _parameters(
    model: nn.Module, grads: Grads, updates: dict[str, Tensor]
) -> Sequence[ParameterScale]:
    rows = []
    for name, p in model.named_parameters():
        weight, grad = _scale([_moments(p)]), grads.get(name)
        ratio = None
        if name in updates:
            update = _scale([_moments(updates[name])]).rms
            ratio = update / weight.rms if weight.rms else math.inf if update else 0.0
        arrived = None if grad is None else _scale([_moments(grad)])
        rows.append(ParameterScale(name, weight, arrived, ratio))
    return rows


def _updates(
    learning: dict[str, nn.Parameter], grads: Grads, lr: Any, optimizer: Any
) -> dict[str, Tensor]:
    """What a step would add to each parameter; a copy of the optimizer takes the step."""
    moved = {name: grad for name, grad in grads.items() if grad is not None}
    if optimizer is None:
        return {} if lr is None else {name: -lr * grad for name, grad in moved.items()}
    copies = {name: p.detach().clone().requires_grad_() for name, p in learning.items()}
    memo: dict[int, Any] = {id(p): copies[name] for name, p in learning.items()}
    for name, grad in moved.items():
        copies[name].grad = grad
    copy.deepcopy(optimizer, memo).step()
    return {name: copies[name].detach() - learning[name].detach() for name in moved}


def _noting(path: str, passed: Passed, edges: list[tuple[str, Any]]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if isinstance(first, Tensor) and first.is_floating_point():
            row = passed.setdefault(path, (type(module).__name__, [], []))
            row[1].append(_moments(first))
            if first.requires_grad:  # the edge outlives a next layer that works in place
                edges.append((path, get_gradient_edge(first)))

    return hook


def _moments(tensor: Tensor) -> Tensor:
    """How many numbers, their sum, the sum of their squares: what can be added up over calls."""
    numbers = tensor.detach().to("cpu", torch.float64)
    return torch.stack(
        [torch.tensor(float(numbers.numel())), numbers.sum(), numbers.square().sum()]
    )


def _scale(parts: Sequence[Tensor]) -> Scale:
    count, total, squares = torch.stack(tuple(parts)).sum(dim=0).tolist()
    mean, square = (total / count, squares / count) if count else (math.nan, math.nan)
    return Scale(mean, math.sqrt(max(square - mean**2, 0.0)), math.sqrt(square))


def _cells(scale: Scale | None) -> list[str]:
    return ["–"] * 3 if scale is None else [_number(n) for n in (scale.mean, scale.std, scale.rms)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"
