"""The optimizer with what belongs to it: schedule, mixed precision, loss scaling."""

import contextlib
from typing import Any

import torch
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.history import Row
from freedive.core.module import Module

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Optimization:
    """Everything between a loss and moved parameters.

    The model's ``configure_optimizers`` gives an optimizer, a pair (optimizer, scheduler), or a
    dict ``{"optimizer": …, "scheduler": …, "interval": "epoch" or "step"}``. An optimizer is
    whatever has ``step`` and ``zero_grad``.
    """

    def __init__(self, model: Module, device: torch.device, precision: str = "32"):
        if precision not in ("32", *DTYPES):
            raise UsageError(f"precision wants 32, bf16 or fp16, got {precision!r}")
        self.device, self.dtype = device, DTYPES.get(precision)
        self.optim, self.scheduler, self.interval = _three(model.configure_optimizers())
        if self.interval not in ("epoch", "step"):
            raise UsageError(f"interval wants epoch or step, got {self.interval!r}")
        for verb in ("step", "zero_grad"):
            if not callable(getattr(self.optim, verb, None)):
                raise UsageError(
                    f"configure_optimizers of {type(model).__name__} wants to give an optimizer "
                    f"with step and zero_grad, got {type(self.optim).__name__}"
                )
        self.scaler: Any = None
        if self.dtype is torch.float16:
            if not isinstance(self.optim, torch.optim.Optimizer):
                raise UsageError("precision='fp16' scales the loss, which wants a torch.optim one")
            self.scaler = torch.amp.GradScaler(device.type)  # fp16 alone would lose small gradients

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which a model computes its outputs and its loss."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients to the parameters'."""
        (self.scaler.scale(loss) if self.scaler else loss).backward()

    def unscale(self) -> None:
        """Bring the gradients to their true size, for those who look at them."""
        if self.scaler:
            self.scaler.unscale_(self.optim)

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters."""
        if self.scaler:
            self.scaler.step(self.optim)
            self.scaler.update()
        else:
            self.optim.step()
        if self.scheduler is not None and self.interval == "step":
            self.scheduler.step()

    def end_epoch(self, row: Row) -> None:
        """Tell an epoch-wise scheduler that an epoch is over; a plateau one how it went."""
        if self.scheduler is None or self.interval != "epoch":
            return
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(row["val_loss" if "val_loss" in row else "train_loss"])
        else:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each part that has one."""
        parts = {"optim": self.optim, "scheduler": self.scheduler, "scaler": self.scaler}
        return {name: part.state_dict() for name, part in parts.items() if _has_state(part)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        for name, part_state in state.items():
            getattr(self, name).load_state_dict(part_state)


def lr_groups(optim: Any) -> list[dict[str, Any]]:
    """What holds the learning rates: torch's groups, or a hand-written optimizer's attributes."""
    return optim.param_groups if hasattr(optim, "param_groups") else [vars(optim)]


def _three(configured: Any) -> tuple[Any, Any, str]:
    if isinstance(configured, dict):
        interval = configured.get("interval", "epoch")
        return configured["optimizer"], configured.get("scheduler"), interval
    if isinstance(configured, (tuple, list)):
        optim, scheduler = configured
        return optim, scheduler, "epoch"
    return configured, None, "epoch"


def _has_state(part: Any) -> bool:
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")
