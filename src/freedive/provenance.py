"""What a run's record says of how it came about: command, time, versions, git state."""

import platform
import subprocess
import sys
import time
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def versions() -> dict[str, str]:
    """What ran: Python and the packages that decide a result."""
    found = {"python": platform.python_version()}
    for package in ("freedive", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any] | None:
    """Commit and cleanness of the folder one stands in; None outside a repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=True)
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "clean": not changes.stdout.strip()}


def fresh_record() -> dict[str, Any]:
    """What every run's record begins with."""
    return {
        "format": 1,
        "command": ["freedive", *sys.argv[1:]],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "time": time.time(),
        "versions": versions(),
        "git": git_state(),
    }
