"""The training loop (section 3.2.4): read `fit`, `fit_epoch` and `fit_step` and you have it all."""

import contextlib
import time
from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from freedive.core.callbacks import clip_gradients
from freedive.core.data import DataModule
from freedive.core.device import check_support, choose_device, fastest_layout
from freedive.core.divergence import refuse_divergence, refuse_infinite, refuse_ruined
from freedive.core.errors import DivergenceError
from freedive.core.feed import Feed
from freedive.core.history import History, Row
from freedive.core.hooks import Callback, Hooks
from freedive.core.hyperparameters import Count, HyperParameters, NonNegative, Whole
from freedive.core.metrics import Meter
from freedive.core.module import Module
from freedive.core.optimization import Optimization, lr_groups
from freedive.core.progress import progress_callback
from freedive.core.random import random_state, seed_everything, set_random_state
from freedive.core.saving import Checkpointing, MetricsFile
from freedive.core.signals import graceful_stop
from freedive.core.state import refuse_overwriting, restore_last

READ_EVERY = 0.25  # seconds between two looks at the numbers on the device
POINTS_PER_EPOCH = 10  # of the training curves


class Trainer(HyperParameters):
    """Fits a model to data.

    Args:
        max_epochs: passes over the training data.
        num_gpus: 0 for the CPU, 1 for one GPU; None leaves it to ``device``.
        gradient_clip_val: largest joint norm of the gradients; 0 does not clip.
        device: auto (CUDA, MPS, CPU: the first that is there), cpu, cuda, cuda:N or mps.
        devices: how many devices train together.
        precision: 32, or mixed with bf16 or fp16.
        accumulate: batches whose gradients are gathered for one update.
        compile: compile the model with torch.compile.
        seed: of every source of chance; None leaves the global generators alone.
        limit_batches: at most so many training and validation batches an epoch.
        callbacks: what else happens around the loop.
        run: a folder for metrics, curves and checkpoints; None writes nothing.
        progress: show how training goes, as fits a terminal, a notebook or a file.
    """

    run: str | Path | None
    model: Module
    data: DataModule
    optimization: Optimization
    optim: Any
    hooks: Hooks
    meter: Meter  # of this epoch
    batch: Sequence[Any]  # the one that is on the device now
    epoch: int  # epochs that are finished
    position: int  # batches of this epoch that are behind us
    train_batch_idx: int
    val_batch_idx: int
    stopped: str  # why the run is to end, if it is

    def __init__(
        self,
        max_epochs: Count = 10,
        num_gpus: Whole | None = None,
        gradient_clip_val: NonNegative = 0.0,
        device: str = "auto",
        devices: Count = 1,
        precision: Literal["32", "bf16", "fp16"] = "32",
        accumulate: Count = 1,
        compile: bool = False,
        seed: Whole | None = None,
        limit_batches: Count | None = None,
        callbacks: Sequence[Callback] = (),
        run: str | Path | None = None,
        progress: bool = True,
    ):
        self.save_hyperparameters(ignore=["callbacks"])
        self.device = choose_device(device, devices, num_gpus)
        check_support(self.device, precision, compile)
        self.given_callbacks = list(callbacks)
        self.history = History()

    def fit(self, model: Module, data: DataModule, resume: bool = False) -> History:
        """Train a model; returns what was measured.

        Ctrl-C ends the run after the current step with everything saved; a second one at once.

        Args:
            model: is changed in place.
            data: gives the batches.
            resume: go on from the run folder's last checkpoint, if there is one.

        Raises:
            DivergenceError: a loss was not finite.
        """
        if not resume:
            refuse_overwriting(self.run)
        try:
            self.prepare(model, data)
            if resume:
                restore_last(self, self.run)
            with graceful_stop(self.stop):
                self._fit_epochs()
        finally:
            model.trainer = None
        return self.history

    def fit_epoch(self) -> None:
        """One pass over the training batches, then one over the validation batches."""
        self._checked = 0
        self.hooks.start("on_epoch_start")
        self.model.train()
        batches = self.train_feed.batches(self.epoch, start=self.position)
        while group := tuple(islice(batches, self.accumulate)):
            self.fit_step(group)
            if self.stopped:
                break
        self.train_feed.refuse_spent(self.epoch, self.position)
        self.read(None if self.stopped else self.position)
        refuse_ruined(self.model)
        if self.stopped or not self.validate_epoch():
            return
        self.optimization.end_epoch(self.history.last)
        self.epoch, self.position, self.meter = self.epoch + 1, 0, Meter()
        self.hooks.end("on_epoch_end")

    def fit_step(self, batches: Sequence[Any]) -> None:
        """One update, from the gradients of one batch or of ``accumulate`` many.

        The loss is the mean over all their examples, however unequal the batches are.
        """
        batches = [self.prepare_batch(batch) for batch in batches]
        weights = [self.model.weight(batch) for batch in batches]
        total = sum(weights)
        self.optim.zero_grad()
        for self.batch, weight in zip(batches, weights, strict=True):
            with self.optimization.autocast():
                loss = self.model.training_step(self.batch)
            if len(batches) > 1:
                loss = loss * (weight / total)
            self.optimization.backward(loss)
            self.train_batch_idx += 1
            self.position += 1
        self.optimization.unscale()
        if self.gradient_clip_val > 0:
            self.clip_gradients(self.gradient_clip_val, self.model)
        self.hooks.start("on_update_start")
        self.optimization.step()
        self.hooks.start("on_step_end")
        if time.perf_counter() >= self._next_read:
            self.read()

    @torch.no_grad()
    def validate_epoch(self) -> bool:
        """Measure the model on the validation batches; False if the run was stopped meanwhile."""
        self.hooks.start("on_validation_start")
        finished = self._measure()
        if finished:
            row = self._row()
            refuse_infinite(row)
            self.history.epochs.append({"epoch": self.epoch + 1, **row})
            for name in [name for name in row if name.startswith("val_")]:
                self.model.board.draw(self.epoch + 1, row[name], name)
            self.hooks.end("on_measured")
        self.hooks.end("on_validation_end")
        return finished

    def validate(self, model: Module, data: DataModule) -> Row:
        """The means of a model over the validation batches; nothing is trained."""
        self.stopped, self.epoch, self.val_batch_idx, self.meter = "", 0, 0, Meter()
        self.prepare_data(data)
        self.val_feed.refuse_empty("validation")
        self.optimization = Optimization(model, self.device, self.precision)
        self.prepare_model(model)
        try:
            self._measure()
        finally:
            model.trainer = None
        return self._row()

    def prepare(self, model: Module, data: DataModule) -> None:
        """Bring model, data and optimizer to the device and set all counters to zero."""
        if self.seed is not None:
            seed_everything(self.seed)
        self.stopped, self._next_read, self._checked = "", 0.0, 0
        self.batch = ()
        self.epoch = self.position = self.train_batch_idx = self.val_batch_idx = 0
        self.meter = Meter()
        self.prepare_data(data)
        self.prepare_model(model)
        self.optimization = Optimization(model, self.device, self.precision)
        self.optim = self.optimization.optim
        model.board.clear()
        model.board.xlabel = model.board.xlabel or "epoch"
        label = getattr(data, "label", type(data).__name__)
        model.board.title = f"{type(model).__name__} on {label}"
        self.history = History(curves=model.board.series)
        own: list[Callback] = []
        if self.run is not None:
            own = [MetricsFile(self.run), Checkpointing(Path(self.run) / "checkpoints")]
        shown = [progress_callback()] if self.progress else []
        self.hooks = Hooks([*self.given_callbacks, *own, *shown], self)

    def prepare_data(self, data: DataModule) -> None:
        """Take the loaders; tensors that fit in memory move to the device once."""
        self.data = data
        self.train_dataloader, self.val_dataloader = data.train_dataloader(), data.val_dataloader()
        seed = torch.initial_seed() % 2**63 if self.seed is None else self.seed
        self.train_feed = Feed(self.train_dataloader, self.device, seed, self.limit_batches)
        self.val_feed = Feed(self.val_dataloader, self.device, seed, self.limit_batches)
        self.num_train_batches = self.train_feed.num_batches
        self.num_val_batches = self.val_feed.num_batches
        self.train_feed.refuse_empty("training")

    def prepare_model(self, model: Module) -> None:
        """Move the model to the device, its convolutions to the layout that is fastest there."""
        model.trainer = self
        model.to(self.device)
        model.to(memory_format=fastest_layout(model, self.device))  # type: ignore[call-overload]
        if self.compile:
            model.compile()
        self.model = model

    def prepare_batch(self, batch: Sequence[Any]) -> Sequence[Any]:
        """A batch on the device."""
        return [part.to(self.device) if isinstance(part, Tensor) else part for part in batch]

    def clip_gradients(self, grad_clip_val: float, model: Module) -> None:
        """Bound the joint norm of the gradients (section 9.5.3)."""
        clip_gradients(model.parameters(), grad_clip_val)

    def record(self, key: str, value: Tensor | float, train: bool) -> None:
        """Note a mean over the current batch; `Module.plot` comes here."""
        name = f"{'train' if train else 'val'}_{key}"
        self.meter.add(name, value, self.model.weight(self.batch))

    def read(self, num_steps: int | None = None) -> None:
        """Bring the waiting numbers to the host; refuse what is not finite, draw the rest.

        Args:
            num_steps: of the epoch, where its end has shown how many they are.
        """
        num_steps = num_steps or self.num_train_batches
        self.meter.read()
        losses = self.meter.values.get("train_loss", [])
        rates = [group.get("lr") for group in lr_groups(self.optim)]
        inputs = [*self.batch, *getattr(self.train_dataloader, "tensors", ())]
        refuse_divergence(losses, self._checked, self.model, inputs, rates[0])
        self._checked = len(losses)
        for name in [n for n in self.meter.values if n.startswith("train_")]:
            latest = reversed(self.model.board.series.get(name, ()))
            drawn = sum(1 for _ in takewhile(lambda point: point[0] > self.epoch, latest))
            for x, y in self.meter.curve(name, drawn, num_steps, POINTS_PER_EPOCH):
                self.model.board.draw(self.epoch + x, y, name)
        self.hooks.start("on_read")
        self._next_read = time.perf_counter() + READ_EVERY

    def stop(self, reason: str = "stopped") -> None:
        """End the run after the current step."""
        self.stopped = self.stopped or reason

    @property
    def epochs_passed(self) -> float:
        """Time as the curves count it: 1.5 is the middle of the second epoch."""
        return self.epoch + self.position / max(self.num_train_batches or 0, self.position, 1)

    def _fit_epochs(self) -> None:
        try:
            self.hooks.start("on_fit_start")
            while self.epoch < self.max_epochs and not self.stopped:
                self.fit_epoch()
            self.history.status = self.stopped or "finished"
            self.hooks.end("on_fit_end")
        except BaseException as error:
            diverged = isinstance(error, DivergenceError)
            self.history.status = "diverged" if diverged else "failed"
            with contextlib.suppress(Exception):  # the first error is the one to tell
                self.hooks.end("on_fit_end")
            raise

    @torch.no_grad()
    def _measure(self) -> bool:
        self.model.eval()
        began, chance = self.val_batch_idx, random_state()
        for batch in self.val_feed.batches(self.epoch):
            if self.stopped:  # half a validation says nothing: a resumed run makes it anew
                self.meter.forget("val_")
                self.val_batch_idx = began
                set_random_state(chance)
                return False
            self.batch = self.prepare_batch(batch)
            with self.optimization.autocast():
                self.model.validation_step(self.batch)
            self.val_batch_idx += 1
        return True

    def _row(self) -> Row:
        """The means so far. Measured in single precision: what follows seven digits is noise."""
        means = self.meter.means()
        means.update(self.model.derived(means))
        return {name: float(f"{mean:.7g}") for name, mean in means.items()}
