"""Old code run cell by cell in a process of its own, which a cell that never ends cannot hold."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from freedive.d2l.notebooks import Cell, prepared


@dataclass
class Done:
    """What became of a code cell.

    Attributes:
        number: of the code cell, from 1.
        cell: with its outputs.
        seconds: that it took.
        verdict: ok, failed, too long, passed over or not run.
        told: the error in a line, or what was passed over.
    """

    number: int
    cell: Cell
    seconds: float = 0.0
    verdict: str = "ok"
    told: str = ""


@dataclass
class Worker:
    """The process that executes cells."""

    fast: bool
    older: bool
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
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")  # the process has ended

    def ask(self, source: str, timeout: float | None) -> dict[str, Any] | None:
        """What a cell has left; None where it took too long, and the process is gone.

        Raises:
            EOFError: the process has ended without an answer.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(source) + "\n")
            self.process.stdin.flush()
            answer = self.answers.get(timeout=timeout)
        except queue.Empty:
            self.stop()
            return None
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise EOFError(f"the process ended with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def run_cells(
    cells: list[Cell],
    fast: bool = False,
    older: bool = False,
    timeout: float | None = None,
    keep_going: bool = False,
) -> Iterator[Done]:
    """Run the code cells in their order, and tell of each when it has ended.

    Args:
        cells: keep what they leave in their ``outputs``.
        fast: two batches of one epoch.
        older: the second edition's meaning, where the two disagree.
        timeout: most seconds of a cell; after one that takes longer none is run.
        keep_going: run the cells behind a failed one, too.
    """
    worker, ended = Worker(fast, older), ""
    try:
        for number, cell in enumerate((c for c in cells if c.code), 1):
            if ended:
                yield Done(number, cell, verdict="not run", told=ended)
                continue
            done = run_cell(worker, number, cell, timeout)
            if done.verdict in ("too long", "lost") or (
                done.verdict == "failed" and not keep_going
            ):
                ended = f"cell {number} {done.verdict}"
            yield done
    finally:
        worker.stop()


def run_cell(worker: Worker, number: int, cell: Cell, timeout: float | None) -> Done:
    """One cell; what the notebook alone understands is passed over."""
    source, skipped = prepared(cell.source)
    if not source.strip():
        return Done(number, cell, verdict="passed over", told="; ".join(skipped))
    began = time.perf_counter()
    try:
        answer = worker.ask(source, timeout)
    except EOFError as error:
        return Done(number, cell, time.perf_counter() - began, "lost", str(error))
    seconds = time.perf_counter() - began
    if answer is None:
        return Done(number, cell, seconds, "too long", f"stopped after {timeout:g} s")
    cell.outputs = answer["outputs"]
    if answer["error"]:
        return Done(number, cell, seconds, "failed", answer["error"])
    return Done(number, cell, seconds, told="; ".join(f"without {line}" for line in skipped))
