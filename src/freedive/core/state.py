"""Everything from which a run goes on to the same bits."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.checkpoint import check_fits, load_checkpoint
from freedive.core.errors import CheckpointError, UsageError
from freedive.core.hooks import Callback
from freedive.core.random import random_state, set_random_state

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer

LAST = "last.safetensors"


def named(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Callbacks by the name of their class; a second one of a class is primed."""
    by_name: dict[str, Callback] = {}
    for callback in callbacks:
        name = type(callback).__name__
        while name in by_name:
            name += "'"
        by_name[name] = callback
    return by_name


def training_state(trainer: "Trainer") -> dict[str, Any]:
    """Weights, optimizer, random states, position in the data, measurements, callbacks."""
    return {
        "kind": type(trainer.model).__name__,
        "model": trainer.model.state_dict(),
        "optimization": trainer.optimization.state_dict(),
        "random": {
            "now": random_state(),
            "epoch_began": trainer.train_feed.epoch_began,
            "order": trainer.train_feed.seed,
        },
        "counters": {
            "epoch": trainer.epoch,
            "position": trainer.position,
            "train_batch_idx": trainer.train_batch_idx,
            "val_batch_idx": trainer.val_batch_idx,
        },
        "carried": trainer.model.carried_state(),
        "meter": trainer.meter.state_dict(),
        "history": {"epochs": trainer.history.epochs, "curves": trainer.history.curves},
        "callbacks": {name: c.state_dict() for name, c in named(trainer.hooks.callbacks).items()},
    }


def restore_training_state(trainer: "Trainer", state: dict[str, Any]) -> None:
    """Put a prepared trainer where `training_state` saw it."""
    trainer.model.load_state_dict(state["model"])
    trainer.optimization.load_state_dict(state["optimization"])
    for counter, value in state["counters"].items():
        setattr(trainer, counter, value)
    trainer.model.load_carried_state(state["carried"])
    trainer.meter.load_state_dict(state["meter"])
    trainer.history.epochs = state["history"]["epochs"]
    trainer.history.curves.update(state["history"]["curves"])
    for name, callback in named(trainer.hooks.callbacks).items():
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    trainer.train_feed.epoch_began = state["random"]["epoch_began"]
    trainer.train_feed.seed = trainer.val_feed.seed = state["random"]["order"]
    set_random_state(state["random"]["now"])


def refuse_overwriting(run: str | Path | None) -> None:
    """Refuse a folder that holds another run."""
    if run is not None and (Path(run) / "checkpoints" / LAST).exists():
        raise UsageError(
            f"{run} holds a run already: pass resume=True to go on with it, or another folder"
        )


def restore_last(trainer: "Trainer", run: str | Path | None) -> None:
    """Take the run folder's last checkpoint, where there is one."""
    if run is None:
        raise UsageError("resume=True wants the run's folder: pass run='runs/…' to the Trainer")
    path = Path(run) / "checkpoints" / LAST
    if path.exists():
        state = load_checkpoint(path)
        check_fits(trainer.model, state, path)
        try:
            restore_training_state(trainer, state)
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path} is of a run with another optimizer, or no whole state ({error}): "
                "go on with what it was begun with"
            ) from None
