"""What a run leaves in its folder: checkpoints, metrics, curves."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.board import Throttle
from freedive.core.callbacks import snapshot
from freedive.core.checkpoint import save_checkpoint
from freedive.core.files import json_text, storage_error, write_whole
from freedive.core.history import improves
from freedive.core.hooks import Callback
from freedive.core.hyperparameters import Positive
from freedive.core.state import LAST, training_state

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer

BEST = "best.safetensors"


class Checkpointing(Callback):
    """Keeps the last state, from which a run goes on, and the best weights.

    It writes after each epoch, and within long ones once a minute, but never spends more than a
    twentieth of the time on it; always when the run ends in order.

    Args:
        folder: where ``last.safetensors`` and ``best.safetensors`` are kept.
        every: seconds after which an unfinished epoch is saved too.
    """

    def __init__(self, folder: str | Path, every: Positive = 60.0):
        self.save_hyperparameters()
        self.folder = Path(folder)
        self.best: float | None = None
        self._best_state: dict[str, Any] | None = None  # not written yet
        self._throttle = Throttle(per_second=1000, share=0.05)
        self._written = time.perf_counter()

    def on_read(self, trainer: "Trainer") -> None:
        """Save a long epoch's middle."""
        if time.perf_counter() - self._written > self.every:
            self.write(trainer)

    def on_measured(self, trainer: "Trainer") -> None:
        """Remember the weights of a better epoch."""
        metric = trainer.history.monitored
        value = trainer.history.last.get(metric)
        if value is not None and improves(metric, value, self.best):
            self.best = value
            self._best_state = {
                "kind": type(trainer.model).__name__,
                "model": snapshot(trainer.model),
                "epoch": trainer.epoch + 1,
                metric: value,
            }

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Save."""
        if self._throttle.ready():
            self.write(trainer)

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Save what was learnt, unless the run broke in the middle of a step."""
        if trainer.history.status not in ("failed", "diverged"):
            self.write(trainer)

    def write(self, trainer: "Trainer") -> None:
        """Write the best, then the last state: whoever finds the last finds the best as well."""
        with self._throttle.measured():
            if self._best_state is not None:
                save_checkpoint(self.folder / BEST, self._best_state)
                self._best_state = None
            save_checkpoint(self.folder / LAST, training_state(trainer))
        self._written = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """The best metric; its weights have been written before this state is."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on comparing with the best so far, if it is still there."""
        self.best = state["best"] if (self.folder / BEST).exists() else None


class MetricsFile(Callback):
    """Writes one line of JSON an epoch, and the curves when the run ends."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.path = self.folder / "metrics.jsonl"

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Begin the file, with the epochs that a resumed run has behind it."""
        self._began = time.perf_counter()
        kept = read_metrics(self.path)[: trainer.epoch] if trainer.epoch else []
        same = [row["epoch"] for row in kept] == [row["epoch"] for row in trainer.history]
        kept = kept if same else trainer.history.epochs
        write_whole(self.path, "".join(json_text(row) + "\n" for row in kept))

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """Add the epoch's row, with the seconds it took."""
        now = time.perf_counter()
        row = {**trainer.history.last, "seconds": round(now - self._began, 4)}
        self._began = now
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json_text(row) + "\n")
        except OSError as error:
            raise storage_error(self.path, error) from error

    def on_fit_end(self, trainer: "Trainer") -> None:
        """Draw the curves."""
        if trainer.model.board.series:
            trainer.model.board.save(self.folder / "curves.svg")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``, up to the first that is cut short or no row of numbers."""
    rows: list[dict[str, Any]] = []
    lines = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in lines.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
            break
        if not all(v is None or isinstance(v, (int, float)) for v in row.values()):
            break
        rows.append(row)
    return rows
