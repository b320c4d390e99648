"""A scratch model beside its concise twin: equal weights, then outputs, gradients and speed."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.module import Module


@dataclass(frozen=True)
class Parity:
    """How far two forms of a model are apart, from equal weights and on one batch.

    Attributes:
        outputs: largest difference of two outputs.
        loss: difference of the losses.
        gradients: largest difference of two gradients.
        milliseconds: one training step of each form, the median of alternating trials.
    """

    outputs: float
    loss: float
    gradients: float
    milliseconds: tuple[float, float]


# torch's layers with matrices of (outputs, inputs); from tensors up, ``X @ W`` has them reversed
OUTPUTS_FIRST = (nn.Linear, nn.RNNBase, nn.RNNCellBase)


def exchange(source: nn.Module, target: nn.Module, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Tensors that belong to the parameters of one form, as they belong to its twin's.

    A matrix is transposed where only one of the two layers that own it keeps it as torch does.
    """
    return [
        tensor.T if tensor.dim() == 2 and _outputs_first(ours) != _outputs_first(theirs) else tensor
        for tensor, ours, theirs in zip(tensors, _owners(source), _owners(target), strict=True)
    ]


def _outputs_first(owner: nn.Module) -> bool:
    return isinstance(owner, OUTPUTS_FIRST)


def _owners(model: nn.Module) -> Iterator[nn.Module]:
    """For each parameter, in the order of `parameters`, the module that it is an attribute of."""
    seen: set[nn.Parameter] = set()
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if parameter not in seen:
                seen.add(parameter)
                yield module


@torch.no_grad()
def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the weights of ``source``, parameter by parameter in their order."""
    values = exchange(source, target, source.parameters())
    for value, t in zip(values, target.parameters(), strict=True):
        if value.shape != t.shape:
            raise UsageError(
                f"a parameter of shape {tuple(value.shape)} has no match of shape "
                f"{tuple(t.shape)}: the two forms want the same parameters in the same order"
            )
        t.copy_(value)


def measure_parity(
    scratch: Module, concise: Module, batch: tuple[Tensor, ...], trials: int = 9
) -> Parity:
    """Compare the two forms on a batch; both end with the weights of ``concise``."""
    copy_weights(concise, scratch)
    # dropout draws differently in the two forms: what can be compared is the model that predicts
    models = [model.eval() for model in (scratch, concise)]
    outputs = [model(*batch[:-1]) for model in models]
    losses = [model.loss(out, batch[-1]) for model, out in zip(models, outputs, strict=True)]
    grads = [
        torch.autograd.grad(loss, list(m.parameters()))
        for loss, m in zip(losses, models, strict=True)
    ]
    gaps = map(gap, exchange(scratch, concise, grads[0]), grads[1])
    return Parity(
        outputs=gap(*outputs),
        loss=gap(*losses),
        gradients=max(gaps),
        milliseconds=alternating_medians(
            _step(scratch.train(), batch), _step(concise.train(), batch), trials
        ),
    )


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference of two tensors."""
    return float((a - b).detach().abs().max())


def alternating_medians(
    first: Callable[[], None], second: Callable[[], None], trials: int
) -> tuple[float, float]:
    """Median milliseconds of two actions that take turns, so that both meet the same noise."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for trial in range(trials + 2):
        for action, kept in zip((first, second), seconds, strict=True):
            start = time.perf_counter()
            action()
            if trial >= 2:  # the first ones warm up
                kept.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds[0]), 1e3 * statistics.median(seconds[1])


def _step(model: Module, batch: tuple[Tensor, ...]) -> Callable[[], None]:
    def step() -> None:
        model.zero_grad()
        model.loss(model(*batch[:-1]), batch[-1]).backward()

    return step
