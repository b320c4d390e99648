"""Learning rates that follow the time that has passed (section 12.11)."""

from typing import TYPE_CHECKING, Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from freedive.core.callbacks import CosineSchedule

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer

Schedule = Literal["constant", "cosine"]
WARMUP = 0.2  # share of all epochs in which a rate rises to its peak


def scheduled(optim: Optimizer, trainer: "Trainer | None", schedule: str) -> Any:
    """What ``configure_optimizers`` returns for an optimizer with a schedule over all steps.

    Args:
        optim: its rates are the constant ones, or the peaks.
        trainer: whose clock counts, for a resumed run may have more epochs than it began with;
            without one the rates stay.
        schedule: constant, or cosine: up to the peak, then half a cosine down to zero.
    """
    if trainer is None or schedule == "constant":
        return optim
    factor = CosineSchedule(trainer.max_epochs, warmup_epochs=WARMUP * trainer.max_epochs).factor
    scheduler = LambdaLR(optim, lambda step: factor(trainer.epochs_passed))
    return {"optimizer": optim, "scheduler": scheduler, "interval": "step"}
