"""Old code run cell by cell in a process of its own, which a cell that never ends cannot hold."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freedive.d2l.notebooks import Cell, default_tab, prepared

FAILED = ("failed", "too long", "lost")
GRACE = 5.0  # seconds that a cell has to end after an interrupt


@dataclass
class Done:
    """What became of a code cell.

    Attributes:
        number: of the code cell, from 1.
        cell: with its outputs.
        seconds: that it took.
        verdict: ok, failed, too long, lost (with its process), passed over or not run.
        told: the error in a line, or what was passed over.
    """

    number: int
    cell: Cell
    seconds: float = 0.0
    verdict: str = "ok"
    told: str = ""


@dataclass
class Worker:
    """The process that executes cells.

    Args:
        fast: two batches of one epoch.
        older: the second edition's meaning, where the two disagree.
        folder: where the cells find their files; here, if left out.
    """

    fast: bool = False
    older: bool = False
    folder: Path | None = None
    answers: "queue.Queue[str]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if self.fast:
            environment["FREEDIVE_D2L_FAST"] = "1"
        command = [sys.executable, "-m", "freedive.d2l.cells", *(["--zh"] if self.older else [])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for the runner, which then ends this one
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")  # the process has ended

    def ask(self, source: str | None, timeout: float | None = None) -> dict[str, Any]:
        """What a cell has left; of None, which begins a new notebook, nothing.

        Raises:
            TimeoutError: it took too long and did not heed an interrupt: the process is gone.
            EOFError: the process has ended without an answer.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(source) + "\n")
            self.process.stdin.flush()
            answer = self._answer(timeout)
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise EOFError(f"the process ended with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _answer(self, timeout: float | None) -> str:
        try:
            return self.answers.get(timeout=timeout)
        except queue.Empty:
            self.interrupt()
        try:
            answer = self.answers.get(timeout=GRACE)
        except queue.Empty:
            self.stop()
            raise TimeoutError from None
        return json.dumps({"late": True, **json.loads(answer)}) if answer else answer

    def interrupt(self) -> None:
        """Let the cell that runs end as Ctrl-C ends it: what it has left so far is kept."""
        if os.name == "posix":  # elsewhere there is no such signal for one process
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """End the process, and the workers that its cells have started."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):  # it is gone already
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def run_cells(
    cells: list[Cell],
    fast: bool = False,
    older: bool = False,
    timeout: float | None = None,
    keep_going: bool = False,
    folder: Path | None = None,
) -> Iterator[Done]:
    """Run the code cells in their order, and tell of each when it has ended.

    Args:
        cells: keep what they leave in their ``outputs``.
        fast: two batches of one epoch.
        older: the second edition's meaning, where the two disagree.
        timeout: most seconds of a cell; one that takes longer is interrupted, and has failed.
        keep_going: run the cells behind a failed one, too.
        folder: where the cells find their files; here, if left out.
    """
    worker = Worker(fast, older, folder)
    try:
        yield from run_with(worker, cells, timeout, keep_going)
    finally:
        worker.stop()


def run_with(
    worker: Worker, cells: list[Cell], timeout: float | None = None, keep_going: bool = False
) -> Iterator[Done]:
    """`run_cells` in a process that is there already."""
    ended, tabs = "", default_tab(cells)
    for number, cell in enumerate((c for c in cells if c.code), 1):
        if ended:
            yield Done(number, cell, verdict="not run", told=ended)
            continue
        done = run_cell(worker, number, cell, timeout, tabs)
        if done.verdict == "lost" or (done.verdict in FAILED and not keep_going):
            ended = f"cell {number} {done.verdict}"
        yield done


def run_cell(
    worker: Worker, number: int, cell: Cell, timeout: float | None, default: str = "all"
) -> Done:
    """One cell; what the notebook alone understands is passed over.

    Args:
        worker: executes it.
        number: of the code cell, from 1.
        cell: keeps what it leaves.
        timeout: most seconds.
        default: the framework of a cell that names none.
    """
    source, skipped = prepared(cell.source, default)
    if not source.strip():
        return Done(number, cell, verdict="passed over", told="; ".join(skipped))
    began = time.perf_counter()
    try:
        answer = worker.ask(source, timeout)
    except EOFError as error:
        return Done(number, cell, time.perf_counter() - began, "lost", str(error))
    except TimeoutError:
        told = f"stopped after {timeout:g} s; it heeded no interrupt, and the names are gone"
        return Done(number, cell, time.perf_counter() - began, "lost", told)
    seconds = time.perf_counter() - began
    cell.outputs, cell.run = answer["outputs"], True
    if "late" in answer:
        where = answer["error"].partition(":")[0] if ":" in answer["error"] else "its end"
        return Done(number, cell, seconds, "too long", f"stopped after {timeout:g} s, in {where}")
    if answer["error"]:
        return Done(number, cell, seconds, "failed", answer["error"])
    return Done(number, cell, seconds, told="; ".join(f"without {line}" for line in skipped))
