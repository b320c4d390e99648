"""Running the command line: in this process where that is enough, else as a subprocess."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from freedive.cli.main import main

# drawn in a moment; the same arguments everywhere, so that they are drawn once
SMALL = ("--data", "garments", "--num-train", "400", "--num-val", "100", "--batch-size", "64")


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that a failing command prints, with no traceback."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("freedive: ")
        assert "Traceback" not in self.err
        return lines[0]


Call = Callable[..., Outcome]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Call:
    """A command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> Outcome:
        logging.getLogger("freedive").handlers.clear()  # an earlier command's
        capsys.readouterr()
        code = main([str(word) for word in args])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def command(tmp_path: Path) -> Call:
    """A command as a user starts it: a process of its own, in an empty folder."""

    def run(*args: object, **environment: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "freedive", *map(str, args)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())

    return run
