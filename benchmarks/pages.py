"""What the benchmarks that write into the documentation share."""

import os
import platform
from pathlib import Path

import torch

from freedive.core.files import write_whole

DOCS = Path(__file__).parents[1] / "docs"


def machine() -> str:
    """On what it was measured, without the machine's name."""
    threads, cores = torch.get_num_threads(), os.cpu_count()
    return f"{platform.machine()}, {threads} threads of {cores} cores, torch {torch.__version__}"


def fill(page: Path, mark: str, text: str) -> None:
    """Write a text between the two comments that carry its mark in a page."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    before, _, rest = page.read_text(encoding="utf8").partition(begin)
    after = rest.partition(end)[2]
    write_whole(page, f"{before}{begin}{text}{end}{after}")
