"""What went wrong when a loss is no longer a finite number."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from freedive.core.errors import DivergenceError
from freedive.core.history import Row


def refuse_divergence(
    losses: Sequence[float], checked: int, model: nn.Module, inputs: Sequence[Any], lr: float | None
) -> None:
    """Raise `DivergenceError` at the first loss that is NaN or infinite.

    Args:
        losses: of every step of this epoch so far.
        checked: how many of them were seen to be finite before.
        model: whose parameters are looked at for the culprit.
        inputs: the latest batch, or all data where they are at hand.
        lr: the learning rate, for the advice.
    """
    for step in range(checked, len(losses)):
        if not math.isfinite(losses[step]):
            before = losses[max(0, step - 20) : step]
            cause = _likely_cause(before, model, inputs, lr)
            raise DivergenceError(
                f"the loss became {losses[step]} at step {step + 1} of the epoch; {cause}"
            )


def refuse_ruined(model: nn.Module) -> None:
    """Raise `DivergenceError` where the last step ruined a parameter: no loss has shown it yet."""
    name = first_not_finite(model)
    if name is not None:
        raise DivergenceError(
            f"{name} is no longer finite after the last step, though the loss was: divide the "
            "learning rate by 10, or pass --gradient-clip-val 1"
        )


def _likely_cause(
    before: Sequence[float], model: nn.Module, inputs: Sequence[Any], lr: float | None
) -> str:
    parameter = first_not_finite(model)
    where = f"the first parameter that is not finite is {parameter}" if parameter else ""
    if any(isinstance(x, torch.Tensor) and not bool(x.isfinite().all()) for x in inputs):
        return f"the data hold values that are not finite: clean them{'; ' + where * bool(where)}"
    rate = "the learning rate" if lr is None else f"the learning rate, {lr:g},"
    if not before or max(before) > 2 * before[0] or parameter:
        hint = f"{rate} is likely too large: divide it by 10, or pass --gradient-clip-val 1"
    else:
        hint = "a logarithm, root or division in the loss has likely left its domain"
    return f"{where + '; ' if where else ''}{hint}"


def first_not_finite(model: nn.Module) -> str | None:
    """The name of the first parameter that holds NaN or infinity."""
    for name, parameter in model.named_parameters():
        if not bool(parameter.detach().isfinite().all()):
            return name
    return None


def refuse_infinite(row: Row) -> None:
    """Raise `DivergenceError` where an epoch's mean is NaN or infinite, as in its validation."""
    for name, mean in row.items():
        if isinstance(mean, float) and not math.isfinite(mean):
            raise DivergenceError(
                f"{name} became {mean} in validation; the learning rate is likely too large: "
                "divide it by 10"
            )
