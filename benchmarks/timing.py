"""What is timed beside a loop written by hand, or given a time of its own."""

import time
from collections.abc import Callable
from typing import Any

import torch

from freedive.core.callbacks import LRSchedule
from freedive.core.data import DataModule
from freedive.core.module import Module
from freedive.core.trainer import Trainer

WARMUP = 0.1  # share of the time in which the rate rises


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


class Budget(LRSchedule):
    """Ends a run after so many seconds of the processor; the rate follows them up and down."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        super().__init__(lambda _: min(self.passed / WARMUP, 1, (1 - self.passed) / (1 - WARMUP)))

    @property
    def passed(self) -> float:
        """The share of the time that has passed."""
        return max(min((time.process_time() - self.began) / self.seconds, 1.0), 1e-4)

    def on_fit_start(self, trainer: Trainer) -> None:
        """The time begins."""
        self.began = time.process_time()
        super().on_fit_start(trainer)

    def on_step_end(self, trainer: Trainer) -> None:
        """Set the next step's rate, or end."""
        super().on_step_end(trainer)
        if self.passed == 1:
            trainer.stop("stopped")
