"""The object-oriented protocol of the first edition (section 3.2) over freedive's own classes."""

import collections
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from freedive.core import board, data, module, trainer
from freedive.core.device import num_gpus as gpus_here
from freedive.core.history import History
from freedive.core.hyperparameters import HyperParameters
from freedive.core.loader import Batch, TensorLoader
from freedive.core.metrics import Meter
from freedive.d2l import fast
from freedive.d2l.plotting import LIVE

__all__ = ["Classifier", "DataModule", "HyperParameters", "Module", "ProgressBoard", "Trainer",
           "add_to_class"]  # fmt: skip

Point = collections.namedtuple("Point", ("x", "y"))
BATCHES = 2  # of an epoch in fast mode


def add_to_class(Class: type) -> Callable[[Any], None]:
    """Make the decorated function a method of a class, also of one that has objects already."""

    def wrapper(obj: Any) -> None:
        setattr(Class, obj.__name__, obj)

    return wrapper


class ProgressBoard(board.ProgressBoard):
    """Curves that grow: any number of series, each point at the same cost (R06, R07)."""

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        xlim: Any = None,
        ylim: Any = None,
        xscale: str = "linear",
        yscale: str = "linear",
        ls: Sequence[str] = ("-", "--", "-.", ":"),
        colors: Sequence[str] = ("C0", "C1", "C2", "C3"),
        fig: Any = None,
        axes: Any = None,
        figsize: tuple[float, float] = (3.5, 2.5),
        display: bool = True,
    ):
        super().__init__(xlabel, ylabel, xlim, ylim, xscale, yscale, display)
        self.ls, self.colors, self.fig, self.axes, self.figsize = ls, colors, fig, axes, figsize
        LIVE.add(self)

    @property
    def data(self) -> dict[str, list[Point]]:
        """The points of each series."""
        return {name: [Point(*p) for p in points] for name, points in self.series.items()}


class Module(module.Module):
    """Base of all models (section 3.2.2).

    Args:
        plot_train_per_epoch: kept for whoever reads it; freedive draws ten points an epoch.
        plot_valid_per_epoch: likewise; one point an epoch is drawn.
    """

    def __init__(self, plot_train_per_epoch: int = 2, plot_valid_per_epoch: int = 1):
        super().__init__()
        self.save_hyperparameters()
        self.board = ProgressBoard()

    def apply_init(self, inputs: Sequence[Tensor], init: Any = None) -> None:
        """Let lazy layers take their sizes from a batch, then initialise the net (R24)."""
        self.forward(*inputs)
        if init is not None:
            self.net.apply(init)


class Classifier(Module, module.Classifier):
    """A model whose outputs are logits (section 4.3)."""

    def layer_summary(self, X_shape: Sequence[int]) -> None:
        """Print each layer of ``net`` with the shape of its output."""
        X = torch.randn(*X_shape)
        for layer in self.net:
            X = layer(X)
            print(layer.__class__.__name__, "output shape:\t", X.shape)


class DataModule(data.DataModule):
    """Base of all data (section 3.2.3)."""

    def __init__(self, root: str = "../data", num_workers: int = 4):
        self.save_hyperparameters()

    def get_tensorloader(  # type: ignore[override]
        self, tensors: Sequence[Tensor], train: bool, indices: slice = slice(0, None)
    ) -> TensorLoader:
        """Batches of some rows of tensors, shuffled for training."""
        return EachTime([t[indices] for t in tensors], self.batch_size, shuffle=train)


class EachTime(TensorLoader):
    """A loader that shuffles anew each time it is iterated over, with nobody to count epochs.

    It remembers the latest batch, whose size a loop of somebody else's does not tell.
    """

    latest: Batch = ()

    def __iter__(self) -> Iterator[Batch]:
        if self.shuffle:
            self.seed, self.epoch = int(torch.randint(2**31, ())), 0
        for batch in super().__iter__():
            self.latest = batch
            yield batch


class Trainer(trainer.Trainer):
    """Fits models to data (section 3.2.4); every part may be replaced, as the book does.

    A ``fit_epoch`` as section 3.4 writes it, which counts no epochs, is counted from here. Where
    more than one GPU is asked for, one is used, and that is said (R15).
    """

    def __init__(self, max_epochs: int, num_gpus: int = 0, gradient_clip_val: float = 0):
        if num_gpus > max(1, gpus_here()):
            print(f"d2l: num_gpus={num_gpus}: one device is used", file=sys.stderr)
        super().__init__(
            max_epochs=1 if fast() else max_epochs,
            num_gpus=min(num_gpus, gpus_here(), 1),
            gradient_clip_val=gradient_clip_val,
            limit_batches=BATCHES if fast() else None,
            progress=False,
        )
        self.gpus = [] if self.device.type == "cpu" else [self.device]

    def fit(self, model: Any, data: Any, resume: bool = False) -> History:
        """Train a model; it knows its trainer afterwards, too."""
        try:
            return super().fit(model, data, resume)
        finally:
            model.trainer = self

    def prepare_data(self, data: Any) -> None:
        """Take the loaders; in fast mode two batches of each."""
        super().prepare_data(data)
        if fast():
            self.train_dataloader = Few(self.train_dataloader)
            self.val_dataloader = Few(self.val_dataloader) if self.val_dataloader else None

    def prepare_model(self, model: Any) -> None:
        """Bring the model to the device; lazy layers take their sizes from a first batch."""
        model.trainer = self
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters()):
            self.model = model.to(self.device)
            with torch.no_grad(), contextlib.suppress(StopIteration):
                batch = self.prepare_batch(next(iter(self.train_dataloader)))
                model(*batch[:-1])
        super().prepare_model(model)

    def prepare_batch(self, batch: Sequence[Any]) -> Sequence[Any]:
        """A batch on the device."""
        self.batch = super().prepare_batch(batch)
        return self.batch

    def clip_gradients(self, grad_clip_val: float, model: Any) -> None:
        """Bound the joint norm of the gradients."""
        super().clip_gradients(grad_clip_val, model)

    def record(self, key: str, value: Tensor | float, train: bool) -> None:
        """Note a batch's mean; where the batch is not known, each counts alike."""
        name = f"{'train' if train else 'val'}_{key}"
        loader = self.train_dataloader if train else self.val_dataloader
        batch = self.batch or getattr(loader, "latest", ())
        self.meter.add(name, value, self.model.weight(batch) if len(batch) else 1)

    def _fit_epochs(self) -> None:
        while self.epoch < self.max_epochs and not self.stopped:
            epoch, batches = self.epoch, self.train_batch_idx
            self.fit_epoch()
            if self.epoch == epoch and not self.stopped:
                self._count_epoch(self.train_batch_idx - batches)
        self.history.status = self.stopped or "finished"
        self.hooks.end("on_fit_end")
        if self.model.board.display and board.in_notebook():
            self.model.board.show()

    def _count_epoch(self, num_batches: int) -> None:
        """End an epoch that a fit_epoch of somebody else's has run."""
        self.read(max(1, num_batches))
        row = self._row()
        self.history.epochs.append({"epoch": self.epoch + 1, **row})
        for name in [name for name in row if name.startswith("val_")]:
            self.model.board.draw(self.epoch + 1, row[name], name)
        self.epoch, self.meter = self.epoch + 1, Meter()


class Few:
    """The first batches of a loader, anew each time."""

    def __init__(self, loader: Iterable[Any], number: int = BATCHES):
        self.loader, self.number, self.latest = loader, number, ()

    def __len__(self) -> int:
        with contextlib.suppress(TypeError):
            return min(self.number, len(self.loader))  # type: ignore[arg-type]
        return self.number

    def __iter__(self) -> Iterator[Any]:
        for batch in islice(self.loader, self.number):
            self.latest = batch
            yield batch
