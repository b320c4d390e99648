"""Learning rates that follow the time that has passed (section 12.11)."""

from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from freedive.core.callbacks import CosineSchedule

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer


def cosine(optim: Optimizer, trainer: "Trainer", warmup: float = 0.2) -> dict[str, Any]:
    """What ``configure_optimizers`` returns for a rise to the peak and half a cosine down to zero.

    Args:
        optim: its rates are the peaks.
        trainer: whose clock counts; a resumed run may have more epochs than it began with.
        warmup: share of all epochs in which the rate rises.
    """
    factor = CosineSchedule(trainer.max_epochs, warmup_epochs=warmup * trainer.max_epochs).factor
    scheduler = LambdaLR(optim, lambda step: factor(trainer.epochs_passed))
    return {"optimizer": optim, "scheduler": scheduler, "interval": "step"}
