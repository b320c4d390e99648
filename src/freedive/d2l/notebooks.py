"""Old code as cells: notebooks, scripts with ``# %%``, Markdown with fenced code; and back."""

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
MARK = re.compile(r"^# ?%%(.*)$", re.M)


@dataclass
class Cell:
    """A piece of a notebook.

    Attributes:
        source: its text.
        code: whether it is to be run.
        outputs: what running it has left, as nbformat keeps it.
    """

    source: str
    code: bool = True
    outputs: list[dict[str, Any]] = field(default_factory=list)

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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"no file {path}: give a notebook, a script or a Markdown page") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path} ({type(error).__name__}): want text in UTF-8"
        ) from None
    readers = {".ipynb": from_notebook, ".py": from_script, ".md": from_markdown}
    if path.suffix not in readers:
        raise UsageError(f"{path}: want a name that ends in .ipynb, .py or .md")
    cells = readers[path.suffix](text, path)
    if not any(cell.code and cell.source.strip() for cell in cells):
        raise UsageError(f"{path} holds no code cell: there is nothing to run")
    return cells


def from_notebook(text: str, path: Path) -> list[Cell]:
    """The cells of an .ipynb."""
    try:
        found = json.loads(text)["cells"]
        return [
            Cell("".join(cell["source"]), cell["cell_type"] == "code")
            for cell in found
            if cell["cell_type"] in ("code", "markdown", "raw")
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no notebook ({type(error).__name__}: {error}): want JSON with a list of "
            "cells; save it from Jupyter anew"
        ) from None


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


def prepared(source: str) -> tuple[str, list[str]]:
    """What Python can run of a cell, and what was passed over.

    Commands of the notebook (``%``, ``!``) are left out; a cell of another framework's tab is
    left out whole.
    """
    tabs = re.findall(r"^(?:%%tab|#@tab)[ \t]+(.*)$", source, re.M)
    named = {name.strip() for tab in tabs for name in tab.split(",")}
    if named & OTHERS and not named & {"pytorch", "all"}:
        return "", [f"for {', '.join(sorted(named & OTHERS))}"]
    lines, skipped = [], []
    for line in source.splitlines():
        if line.lstrip().startswith(("%", "!")):
            if not line.startswith("%%tab"):
                skipped.append(line.strip())
            indent = line[: len(line) - len(line.lstrip())]
            line = f"{indent}pass  # {line.strip()}"
        lines.append(line)
    return "\n".join(lines), skipped


def save_notebook(cells: list[Cell], path: Path) -> None:
    """Write cells with their outputs as a notebook that Jupyter opens."""
    number, written = 0, []
    for i, cell in enumerate(cells):
        entry: dict[str, Any] = {
            "cell_type": "code" if cell.code else "markdown",
            "id": f"cell-{i}",
            "metadata": {},
            "source": cell.source.splitlines(keepends=True),
        }
        if cell.code:
            number += 1
            entry |= {"execution_count": number, "outputs": cell.outputs}
        written.append(entry)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    write_json(path, {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
