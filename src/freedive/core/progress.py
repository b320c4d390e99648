"""How training is shown while it goes: a bar in a terminal, plain lines elsewhere."""

import sys
from typing import TYPE_CHECKING, Any

from freedive.core.board import Throttle, in_notebook
from freedive.core.history import Row
from freedive.core.hooks import Callback

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer


def progress_callback() -> Callback:
    """What fits the place where this runs."""
    if in_notebook():
        return Callback()  # the board draws itself there
    return TerminalProgress() if sys.stdout.isatty() else PlainProgress()


def row_text(row: Row) -> str:
    """An epoch's means in one line."""
    return "  ".join(f"{k} {v:.4f}" for k, v in row.items() if isinstance(v, float))


class PlainProgress(Callback):
    """One plain line an epoch, at most two a second, and always the last."""

    def __init__(self) -> None:
        self._throttle = Throttle(per_second=2)

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Print the epoch's means."""
        if self._throttle.ready() or trainer.epoch == trainer.max_epochs:
            with self._throttle.measured():
                width = len(str(trainer.max_epochs))
                epoch = f"epoch {trainer.epoch:{width}}/{trainer.max_epochs}"
                print(f"{epoch}  {row_text(trainer.history.last)}", flush=True)


class TerminalProgress(Callback):
    """A bar over all steps with the time left and the latest numbers."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._throttle = Throttle()

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Show the bar."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        # refreshed by hand: a thread of rich's own would wake up in the middle of a step
        self._bar = Progress(*columns, auto_refresh=False, transient=True)
        self._task = self._bar.add_task("starting", total=trainer.max_epochs)
        self._bar.start()

    def on_read(self, trainer: "Trainer") -> None:
        """Move the bar."""
        if not self._throttle.ready():
            return
        with self._throttle.measured():
            latest = trainer.meter.values.get("train_loss", [])
            numbers = f"train_loss {latest[-1]:.4f}" if latest else ""
            if trainer.history.epochs:
                row = trainer.history.last
                numbers += "".join(
                    f"  {k} {row[k]:.3f}" for k in ("val_acc", "val_loss") if k in row
                )
            epoch = f"epoch {trainer.epoch + 1}/{trainer.max_epochs}"
            self._bar.update(
                self._task, completed=trainer.epochs_passed, description=f"{epoch}  {numbers}"
            )
            self._bar.refresh()

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
