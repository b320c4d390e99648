"""A run's folder: what was asked, what happened, what came out."""

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.errors import FreediveError, UsageError, unknown
from freedive.core.files import storage_error, write_json
from freedive.core.history import History
from freedive.core.saving import BEST, read_metrics
from freedive.core.state import LAST

try:
    import fcntl
except ImportError:  # Windows has none: there, nothing keeps two processes from one run
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from freedive.core.module import Module

RUNS = Path("runs")
RECORD = "run.json"
# what every record holds, and of which kind
ENTRIES = {
    **dict.fromkeys(("system", "status", "form", "data", "data_fingerprint"), str),
    **dict.fromkeys(("model", "data_arguments", "trainer"), dict),
}


class Run:
    """One folder ``runs/<system>/<name>/``; its record is ``run.json``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock: int | None = None

    @classmethod
    def create(
        cls,
        root: Path,
        system: str,
        name: str | None,
        record: dict[str, Any],
        assets: dict[str, Any] | None = None,
    ) -> "Run":
        """Make the folder and write what was asked.

        Args:
            root: folder of all runs.
            system: its id.
            name: of the run; the time of its start if left out.
            record: what was asked.
            assets: what the model cannot be used without, file name to JSON.

        Raises:
            UsageError: there is a run of that name, which is never written over.
        """
        run = cls(_fresh_folder(root / system, name))
        try:
            run.claim()
            kept = {"assets": run._keep(assets or {})}
            told = {"name": run.folder.name, "system": system, **record, **kept}
            run.write({**told, "status": "running"})
        except BaseException:
            run.release()
            shutil.rmtree(run.folder)  # half a run would stand in the way of the name
            raise
        return run

    def claim(self) -> None:
        """Take the run for this process, until `release` or the process's end.

        Raises:
            FreediveError: another process has it.
        """
        self._lock = _locked(self.folder)
        if self._lock is None:
            raise FreediveError(f"{self.folder} is running in another process: wait for it")
        for stray in self.folder.rglob(".*.????????"):  # left by a writer that was killed
            stray.unlink(missing_ok=True)

    def release(self) -> None:
        """Let other processes have the run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` says.

        Raises:
            FreediveError: it is missing, or damaged.
        """
        path = self.folder / RECORD
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FreediveError(f"{self.folder} is not a run: it has no {RECORD}") from None
        except (OSError, ValueError) as error:
            raise FreediveError(f"{path} cannot be read ({error}): restore it") from None
        for name, kind in ENTRIES.items():
            if not isinstance(found, dict) or not isinstance(found.get(name), kind):
                raise FreediveError(f"{path} is damaged, it has no {name}: restore it")
        return found

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record."""
        write_json(self.folder / RECORD, record)

    def update(self, **changes: Any) -> None:
        """Change some entries of the record."""
        self.write({**self.record, **changes})

    def _keep(self, assets: dict[str, Any]) -> dict[str, str]:
        """Write what belongs to the weights; gives the SHA-256 of each file."""
        for name, value in assets.items():
            write_json(self.folder / name, value)
        return {name: _digest((self.folder / name).read_bytes()) for name in assets}

    def asset(self, name: str) -> Any:
        """What was kept with the run under that name when it began.

        Raises:
            FreediveError: nothing was, or the file is no longer the one that was written.
        """
        path, kept = self.folder / name, self.record.get("assets")
        if not isinstance(kept, dict) or name not in kept:
            raise FreediveError(f"{self.folder} was begun without {name}: train it again")
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise FreediveError(f"{path} cannot be read ({reason}): restore it") from None
        if _digest(content) != kept[name]:
            raise FreediveError(
                f"{path} is not what the run began with, but holds a vocabulary that does not "
                "belong to the weights: restore it"
            )
        return json.loads(content)

    @property
    def status(self) -> str:
        """How it stands: running, finished, stopped, interrupted, diverged, failed or killed."""
        status = str(self.record["status"])
        if status == "running":
            lock = _locked(self.folder)
            if lock is not None:  # nobody holds it
                os.close(lock)
                return "killed"
        return status

    @property
    def history(self) -> History:
        """The epochs that were measured."""
        return History(read_metrics(self.folder / "metrics.jsonl"))

    @property
    def last(self) -> Path:
        """The checkpoint from which it goes on."""
        return self.folder / "checkpoints" / LAST

    @property
    def best(self) -> Path:
        """The checkpoint of its best epoch."""
        return self.folder / "checkpoints" / BEST

    def load_weights(self, model: "Module", which: str = "best") -> None:
        """Give a model the run's weights, from the best or the last checkpoint.

        Raises:
            CheckpointError: there is none, it is damaged, or it is another model's.
        """
        from freedive.core.checkpoint import check_fits, load_checkpoint

        path = self.best if which == "best" else self.last
        state = load_checkpoint(path)
        check_fits(model, state, path)
        model.load_state_dict(state["model"])


def find_run(name: str, root: Path = RUNS) -> Run:
    """The run in a folder, or below ``root`` by ``system/name``, ``name``, or a system's latest."""
    for folder in (Path(name), root / name):
        if (folder / RECORD).is_file():
            return Run(folder)
    named = [run for run in all_runs(root) if run.folder.name == name]
    if len(named) > 1:
        choices = ", ".join(f"{run.folder.parent.name}/{name}" for run in named)
        raise UsageError(f"several runs are called {name!r}: say which of {choices}")
    of_system = [run for run in all_runs(root) if run.folder.parent.name == name]
    if named or of_system:
        return (named or of_system)[-1]
    if Path(name).is_dir():
        raise FreediveError(f"{name} is not a run: it has no {RECORD}")
    known = [f"{run.folder.parent.name}/{run.folder.name}" for run in all_runs(root)]
    raise unknown(f"run in {root}", name, known)


def all_runs(root: Path = RUNS) -> list[Run]:
    """Every run below a folder, the oldest first."""
    return sorted(map(Run, _run_folders(root)), key=lambda run: _started(run))


def _fresh_folder(parent: Path, name: str | None) -> Path:
    """A new folder of that name, or of the time's."""
    if name is not None and (Path(name).name != name or name in (".", "..")):
        raise UsageError(f"a run's name is one folder's name, got {name!r}: leave out any /")
    stem = name or datetime.now().strftime("%Y%m%d-%H%M%S")
    for candidate in [stem] if name else [stem, *(f"{stem}-{i}" for i in range(2, 100))]:
        folder = parent / candidate
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise UsageError(f"{folder} cannot be made: a part of it is a file") from None
        except OSError as error:
            raise storage_error(folder, error) from error
    raise UsageError(
        f"there is a run {parent / stem} already: choose another --name, "
        f"or go on with it: freedive resume {shlex.quote(str(parent / stem))}"
    )


def _run_folders(root: Path) -> Iterator[Path]:
    for record in root.glob(f"*/*/{RECORD}"):
        yield record.parent


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _started(run: Run) -> float:
    try:
        return float(run.record["time"])
    except (FreediveError, KeyError, TypeError, ValueError):
        return 0.0


def _locked(folder: Path) -> int | None:
    """A lock on a folder, as an open file; None where another holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
