"""Everything from which a run goes on to the same bits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.checkpoint import check_fits, load_checkpoint
from freedive.core.random import random_state, set_random_state

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer

LAST = "last.safetensors"


def training_state(trainer: "Trainer") -> dict[str, Any]:
    """Weights, optimizer, random states, position in the data, measurements, callbacks."""
    return {
        "model": trainer.model.state_dict(),
        "optimization": trainer.optimization.state_dict(),
        "random": {"now": random_state(), "epoch_began": trainer.train_feed.epoch_began},
        "counters": {
            "epoch": trainer.epoch,
            "position": trainer.position,
            "train_batch_idx": trainer.train_batch_idx,
            "val_batch_idx": trainer.val_batch_idx,
        },
        "meter": trainer.meter.state_dict(),
        "history": {"epochs": trainer.history.epochs, "curves": trainer.history.curves},
        "callbacks": {type(c).__name__: c.state_dict() for c in trainer.hooks.callbacks},
    }


def restore_training_state(trainer: "Trainer", state: dict[str, Any]) -> None:
    """Put a prepared trainer where `training_state` saw it."""
    trainer.model.load_state_dict(state["model"])
    trainer.optimization.load_state_dict(state["optimization"])
    for counter, value in state["counters"].items():
        setattr(trainer, counter, value)
    trainer.meter.load_state_dict(state["meter"])
    trainer.history.epochs = state["history"]["epochs"]
    trainer.history.curves.update(state["history"]["curves"])
    for callback in trainer.hooks.callbacks:
        if type(callback).__name__ in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][type(callback).__name__])
    trainer.train_feed.epoch_began = state["random"]["epoch_began"]
    set_random_state(state["random"]["now"])


def restore_last(trainer: "Trainer") -> None:
    """Take the run folder's last checkpoint, where there is one."""
    path = Path(trainer.run or ".") / "checkpoints" / LAST
    if path.exists():
        state = load_checkpoint(path)
        check_fits(trainer.model, state["model"], path)
        restore_training_state(trainer, state)
