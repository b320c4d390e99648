"""``freedive d2l``: code written against the d2l package, run as it is or shown in new words."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table
from freedive.core.errors import UsageError, unknown
from freedive.core.hyperparameters import Positive, check_arguments
from freedive.d2l.notebooks import Cell, read_cells, save_notebook
from freedive.d2l.porting import names_page, ported
from freedive.d2l.running import FAILED, Done, run_cells

COLUMNS = ("cell", "begins with", "seconds", "verdict", "")


@dataclass
class RunOld:
    """What is to be run, and how far."""

    file: Annotated[Path, tyro.conf.Positional]
    """A notebook (.ipynb), a script (.py, cells begin with # %%) or a page with fences (.md)."""
    fast: bool = False
    """Two batches of one epoch: to see whether all of it runs."""
    out: Path | None = None
    """The executed notebook; NAME.executed.ipynb here if left out."""
    overwrite: bool = False
    """Replace it, if it is there."""
    keep_going: bool = False
    """Run the cells behind a failed one, too."""
    timeout: Positive | None = None
    """Most seconds of a cell."""
    zh: bool = False
    """Names as the second edition (0.17) has them where the two editions disagree."""
    json: bool = False
    """One JSON object instead of a table."""


@dataclass
class PortOld:
    """What is to be read."""

    file: Annotated[Path, tyro.conf.Positional]
    """A notebook, a script or a page with fenced code."""
    json: bool = False
    """One JSON object instead of a table."""


def old_code(args: list[str]) -> int:
    """Run, port, or list the old names."""
    verbs = {"run": run, "port": port, "names": names}
    if not args or args[0] in ("-h", "--help"):
        print(
            "usage: freedive d2l run FILE | port FILE | names\n\n"
            "run    old code as it is, cell by cell, with a report and an executed notebook\n"
            "port   shows the modern spelling of each old name in a file\n"
            "names  all old names and where they live, as Markdown\n\n"
            "freedive d2l run --help says more"
        )
        return 0 if args else 2
    if args[0] not in verbs:
        raise unknown("verb of freedive d2l", args[0], verbs)
    return verbs[args[0]](args[1:])


def run(args: list[str]) -> int:
    """Run old code; exit code 1 if a cell fails."""
    asked = parse(RunOld, args, "freedive d2l run", "Code written against d2l, as it is.")
    check_arguments(RunOld.__init__, vars(asked))
    cells = read_cells(asked.file)
    out = asked.out or Path(f"{asked.file.stem}.executed.ipynb")
    if out.exists() and not asked.overwrite:
        raise UsageError(f"{out} is there: pass --overwrite to replace it, or --out another name")
    done: list[Done] = []
    show_progress(cells, 0)
    try:
        for one in run_cells(
            cells, asked.fast, asked.zh, asked.timeout, asked.keep_going, asked.file.parent
        ):
            done.append(one)
            show_progress(cells, len(done))
            if not asked.json and one.verdict not in ("ok", "not run"):
                print(f"cell {one.number} {one.verdict}: {one.told}", flush=True)
    finally:  # also after Ctrl-C: what has been run is kept
        save_notebook(cells, out)
    failed = [one for one in done if one.verdict in FAILED]
    if asked.json:
        print_json({"file": asked.file, "cells": [as_row(one) for one in done],
                    "failed": len(failed), "written": out})  # fmt: skip
    else:
        print_table(COLUMNS, [tuple(as_row(one).values()) for one in done])
        print(f"{len(done)} cells, {len(failed)} failed; written: {out}")
    return int(bool(failed))


def show_progress(cells: list[Cell], ended: int) -> None:
    """Which cell runs now, on a terminal, in a line that the next one overwrites."""
    code = [cell for cell in cells if cell.code]
    if sys.stderr.isatty():
        now = code[ended].title[:50] if ended < len(code) else ""
        text = f"cell {ended + 1} of {len(code)}: {now}" if now else ""
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def as_row(done: Done) -> dict[str, object]:
    """A code cell's line of the report."""
    title = done.cell.title
    return {
        "cell": done.number,
        "begins": title if len(title) < 40 else title[:39] + "…",
        "seconds": round(done.seconds, 2),
        "verdict": done.verdict,
        "told": done.told,
    }


def port(args: list[str]) -> int:
    """Show modern spellings."""
    asked = parse(PortOld, args, "freedive d2l port", "The modern spelling of old code.")
    found = ported(read_cells(asked.file))
    if asked.json:
        print_json({"file": asked.file, "names": [asdict(one) for one in found]})
        return 0
    columns = ("cell", "line", "old", "modern", "note")
    print_table(columns, [tuple(asdict(one).values()) for one in found])
    print(f"{len(found)} old names in {asked.file}")
    return 0


def names(args: list[str]) -> int:
    """Print the table of all old names."""
    if args:
        raise UsageError(f"freedive d2l names takes no arguments, got {' '.join(args)}")
    print(names_page())
    return 0
