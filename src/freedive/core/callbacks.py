"""What happens around the loop: stopping, schedules, clipping, averaging."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from freedive.core.errors import unknown
from freedive.core.history import improves
from freedive.core.hooks import Callback
from freedive.core.hyperparameters import (
    Count,
    NonNegative,
    Positive,
    Probability,
)
from freedive.core.optimization import lr_groups

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer

Weights = dict[str, Tensor]


def snapshot(model: nn.Module) -> Weights:
    """A copy of the parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


class EarlyStopping(Callback):
    """Ends a run that has stopped improving, and gives the model its best weights back.

    The best weights are restored however the run ended: patience, the last epoch, Ctrl-C or an
    error (section 5.5.3).

    Args:
        monitor: the metric; None takes validation accuracy, else the loss.
        patience: epochs without improvement that are allowed.
        min_delta: what counts as improvement.
    """

    outermost = True  # the last weights are saved before the best ones are put in their place

    def __init__(
        self, monitor: str | None = None, patience: Count = 3, min_delta: NonNegative = 0.0
    ):
        self.save_hyperparameters()
        self.best: float | None = None
        self.weights: Weights = {}
        self.waited = 0

    def on_fit_start(self, trainer: "Trainer") -> None:
        """A fresh run forgets an earlier one's best."""
        if trainer.epoch == 0 and trainer.position == 0:
            self.best, self.weights, self.waited = None, {}, 0
        elif self.waited >= self.patience:  # what was decided before the run was left stands
            trainer.stop("stopped")

    def on_measured(self, trainer: "Trainer") -> None:
        """Keep the weights of a better epoch; count the others."""
        metric = self.monitor or trainer.history.monitored
        if metric not in trainer.history.last:
            raise unknown("metric", metric, [k for k in trainer.history.last if k != "epoch"])
        value = trainer.history.last[metric]
        if improves(metric, value, self.best, self.min_delta):
            self.best, self.weights, self.waited = value, snapshot(trainer.model), 0
        else:
            self.waited += 1
            if self.waited >= self.patience:
                trainer.stop("stopped")

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Restore the best weights."""
        if self.weights:
            trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The best epoch so far."""
        return {"best": self.best, "weights": self.weights, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on waiting where the run was left."""
        self.best, self.weights, self.waited = state["best"], state["weights"], state["waited"]


class LRSchedule(Callback):
    """Multiplies the learning rate at each step by a factor of the time passed (section 12.11).

    Args:
        factor: maps epochs passed, a real number from 0 to ``max_epochs``, to the factor.
    """

    def __init__(self, factor: Callable[[float], float]):
        self.save_hyperparameters()
        self.base: list[float] = []

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Note the learning rates that the optimizer came with."""
        if not self.base:
            self.base = [group["lr"] for group in lr_groups(trainer.optim)]
        self.on_step_end(trainer)

    def on_step_end(self, trainer: "Trainer") -> None:
        """Set the learning rates of the next step."""
        factor = self.factor(trainer.epochs_passed)
        for group, base in zip(lr_groups(trainer.optim), self.base, strict=True):
            group["lr"] = base * factor

    def on_fit_end(self, trainer: "Trainer") -> None:
        """The next fit starts from its own optimizer's rates."""
        self.base = []

    def state_dict(self) -> dict[str, Any]:
        """The rates that the factor multiplies."""
        return {"base": self.base}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep the rates of the run that goes on."""
        self.base = state["base"]


class CosineSchedule(LRSchedule):
    """Linear warm-up, then half a cosine down to zero: ½(1 + cos πt) (section 12.11.3.3)."""

    def __init__(self, max_epochs: Count, warmup_epochs: NonNegative = 0):
        self.save_hyperparameters()

        def factor(epochs: float) -> float:
            if epochs < warmup_epochs:
                return min((epochs + 1e-3) / warmup_epochs, 1.0)
            passed = (epochs - warmup_epochs) / max(max_epochs - warmup_epochs, 1e-9)
            return (1 + math.cos(math.pi * min(passed, 1.0))) / 2

        super().__init__(factor)


def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale the gradients in place so that their joint norm is at most ``max_norm``.

    g ← min(1, θ/‖g‖) g (section 9.5.3). Any iterable will do, a generator too, and the norm
    that was found is returned, still on the device.
    """
    grads = [p.grad for p in list(parameters) if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
    scale = (max_norm / (norm + 1e-12)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(scale.to(grad.device, grad.dtype))
    return norm


class GradientClipping(Callback):
    """Clips the joint norm of all gradients before each update (section 9.5.3)."""

    def __init__(self, max_norm: Positive):
        self.save_hyperparameters()

    def on_update_start(self, trainer: "Trainer") -> None:
        """Clip."""
        clip_gradients(trainer.model.parameters(), self.max_norm)


class WeightAveraging(Callback):
    """Validates, and leaves behind, an exponential moving average of the weights.

    w̄ ← d w̄ + (1 − d) w after each step; training itself goes on with w.

    Args:
        decay: d; an average over about 1/(1 − d) steps.
    """

    outermost = True  # every other callback sees the averaged weights during validation

    def __init__(self, decay: Probability = 0.99):
        self.save_hyperparameters()
        self.average: Weights = {}
        self.raw: Weights = {}

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Start from the initial weights, or from those of the run that goes on."""
        now = snapshot(trainer.model)
        if not self.average or (trainer.epoch == 0 and trainer.position == 0):
            self.average = now
        self.average = {name: self.average[name].to(now[name].device) for name in now}

    @torch.no_grad()
    def on_step_end(self, trainer: "Trainer") -> None:
        """Move the average; what is not a float, such as a counter, is copied."""
        for name, tensor in trainer.model.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - self.decay)
            else:
                self.average[name].copy_(tensor)

    def on_validation_start(self, trainer: "Trainer") -> None:
        """The average is what is judged."""
        self.raw = snapshot(trainer.model)
        trainer.model.load_state_dict(self.average)

    def on_validation_end(self, trainer: "Trainer") -> None:
        """Training goes on with the weights that it had."""
        trainer.model.load_state_dict(self.raw)
        self.raw = {}

    def on_fit_end(self, trainer: "Trainer") -> None:
        """The model keeps the average, unless a callback within restored its best weights."""
        if not any(isinstance(c, EarlyStopping) and c.weights for c in trainer.hooks.callbacks):
            trainer.model.load_state_dict(self.average)

    def state_dict(self) -> dict[str, Any]:
        """The average so far."""
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on averaging."""
        self.average = state["average"]
