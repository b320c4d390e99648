"""What is timed beside a loop written by hand."""

import time
from collections.abc import Callable
from typing import Any

import torch

from freedive.core.data import DataModule
from freedive.core.module import Module
from freedive.core.trainer import Trainer


def training_half(
    model: Module, data: DataModule, device: torch.device, **settings: Any
) -> Callable[[], None]:
    """The training half of the trainer's epoch, without its validation."""
    trainer = Trainer(max_epochs=10**6, progress=False, seed=0, device=str(device), **settings)
    trainer.prepare(model, data)

    def epoch() -> None:
        model.train()
        trainer.epoch += 1
        for batch in trainer.train_feed.batches(trainer.epoch):
            trainer.fit_step([batch])
        trainer.read()

    return epoch


def seconds(action: Callable[[], None], device: torch.device) -> float:
    """Wall time of an action with all that it has asked of the device."""
    start = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
