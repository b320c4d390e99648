"""Old code as cells: notebooks, scripts with ``# %%``, Markdown with fenced code; and back."""

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freedive.core.errors import UsageError
from freedive.core.files import write_json
from freedive.d2l import FLAVOURS

OTHERS = set(FLAVOURS)
FENCE = re.compile(
    r"^```[ \t]*(?:\{\.python \.input[^}]*\}|python[^\n]*)\n(.*?)^```[ \t]*$", re.M | re.S
)
MARK = re.compile(r"^# ?(?:%%|In ?\[[\d ]*\]:)(.*)$", re.M)  # the second is nbconvert's
TAB = re.compile(r"^(?:%%tab|#@tab)[ \t]+(.*)$", re.M)
COMMAND = re.compile(r"\s*(?:[%!]|\w+(?:, *\w+)* *= *[%!]|[\w.%]+\?{1,2} *$|\?{1,2}[\w.%]+ *$)")
TIMED = {"%%time", "%%timeit", "%%capture", "%%prun", "%%tab"}  # a Python cell stands below


@dataclass
class Cell:
    """A piece of a notebook.

    Attributes:
        source: its text.
        code: whether it is to be run.
        outputs: what running it has left, as nbformat keeps it.
        run: whether it was run.
        kept: the rest of its entry in the notebook that it comes from.
    """

    source: str
    code: bool = True
    outputs: list[dict[str, Any]] = field(default_factory=list)
    run: bool = False
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first line that says something."""
        lines = (line.strip() for line in self.source.splitlines())
        said = (line for line in lines if line and not line.startswith(("%%", "#@tab", "#@save")))
        return next(said, "")


def read_cells(path: Path) -> list[Cell]:
    """The cells of a file.

    Raises:
        UsageError: no such file, another kind of file, or nothing in it to run.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no file {path}: give a notebook, a script or a Markdown page") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path} ({type(error).__name__}): want text in UTF-8"
        ) from None
    readers = {".ipynb": from_notebook, ".py": from_script, ".md": from_markdown}
    if path.suffix not in readers:
        raise UsageError(f"{path}: want a name that ends in .ipynb, .py or .md")
    if not text.strip():
        raise UsageError(f"{path} is empty: it holds no code cell")
    cells = readers[path.suffix](text, path)
    if not any(cell.code and cell.source.strip() for cell in cells):
        raise UsageError(f"{path} holds no code cell: there is nothing to run")
    return cells


def from_notebook(text: str, path: Path) -> list[Cell]:
    """The cells of an .ipynb."""
    try:
        found = json.loads(text)["cells"]
        return [
            Cell("".join(cell["source"]), cell["cell_type"] == "code", kept=_kept(cell))
            for cell in found
            if cell["cell_type"] in ("code", "markdown", "raw")
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no notebook ({type(error).__name__}: {error}): want JSON with a list of "
            "cells; save it from Jupyter anew"
        ) from None


def _kept(entry: dict[str, Any]) -> dict[str, Any]:
    """What of a cell's entry is neither its text nor what an earlier run has left."""
    left = ("source", "outputs", "execution_count")
    return {name: value for name, value in entry.items() if name not in left}


def from_script(text: str, path: Path) -> list[Cell]:
    """The parts of a script between its ``# %%`` marks; all of it, where there are none."""
    first, *rest = MARK.split(text)
    cells = [Cell(first)] if first.strip() else []
    for mark, source in zip(rest[::2], rest[1::2], strict=True):
        if "[markdown]" in mark:
            lines = (line.removeprefix("#").removeprefix(" ") for line in source.splitlines())
            cells.append(Cell("\n".join(lines).strip(), code=False))
        elif source.strip():
            cells.append(Cell(source.strip("\n")))
    return cells


def from_markdown(text: str, path: Path) -> list[Cell]:
    """The fenced Python of a page, and the text between."""
    cells, end = [], 0
    for match in FENCE.finditer(text):
        if text[end : match.start()].strip():
            cells.append(Cell(text[end : match.start()].strip(), code=False))
        cells.append(Cell(match.group(1).rstrip("\n")))
        end = match.end()
    if text[end:].strip():
        cells.append(Cell(text[end:].strip(), code=False))
    return cells


def default_tab(cells: list[Cell]) -> str:
    """The framework of cells that name none: of the second edition's sources it is mxnet."""
    code = [cell.source for cell in cells if cell.code]
    old = any("#@tab" in source for source in code) and not any("%%tab" in c for c in code)
    return "mxnet" if old else "all"


def prepared(source: str, default: str = "all") -> tuple[str, list[str]]:
    """What Python can run of a cell, and what was passed over.

    Commands of the notebook (``%``, ``!``, ``?``) are left out; a cell of another framework's tab,
    or in another language, is left out whole.

    Args:
        source: the cell.
        default: the framework of a cell that names none.
    """
    named = {name.strip() for tab in TAB.findall(source) for name in tab.split(",")} or {default}
    if named & OTHERS and not named & {"pytorch", "all"}:
        return "", [f"for {', '.join(sorted(named & OTHERS))}"]
    first = next((line.split()[0] for line in source.splitlines() if line.strip()), "")
    if first.startswith("%%") and first not in TIMED:
        return "", [first]
    lines, skipped = source.splitlines(), []
    while (at := _not_python(lines)) is not None:
        line = lines[at]
        command = line.strip()
        lines[at] = f"{line[: len(line) - len(line.lstrip())]}pass  # {command}"
        while command.endswith("\\") and at + 1 < len(lines):  # it goes on in the next line
            at += 1
            command = f"{command[:-1].rstrip()} {lines[at].strip()}"
            lines[at] = ""
        if not command.startswith("%%tab"):
            skipped.append(command)
    return "\n".join(lines), skipped


def _not_python(lines: list[str]) -> int | None:
    """The line of the first command of the notebook: one in a text or a product is none."""
    try:
        ast.parse("\n".join(lines))
    except SyntaxError as error:
        at = min(error.lineno or 1, len(lines)) - 1
        # an open bracket or a line of words (%time f(x)) may be told where the next line begins
        for i in (at, at - 1):
            if i >= 0 and COMMAND.match(lines[i]):
                return i
    return None


def save_notebook(cells: list[Cell], path: Path) -> None:
    """Write cells with their outputs as a notebook that Jupyter opens."""
    number, written = 0, []
    for i, cell in enumerate(cells):
        entry: dict[str, Any] = {
            "cell_type": "code" if cell.code else "markdown",
            "id": f"cell-{i}",
            "metadata": {},
            **cell.kept,
            "source": cell.source.splitlines(keepends=True),
        }
        if cell.code:
            number += 1
            entry |= {"execution_count": number if cell.run else None, "outputs": cell.outputs}
        written.append(entry)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    write_json(path, {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
