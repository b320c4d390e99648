"""``freedive lab``: the experiments of the book, run from the command line."""

import dataclasses
import inspect
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from freedive import catalog
from freedive.catalog import Lab
from freedive.cli.forms import arguments
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table
from freedive.core.errors import FreediveError, unknown
from freedive.core.files import storage_error
from freedive.core.hyperparameters import check_arguments
from freedive.core.report import Report

PROG = "freedive lab"
LABS = Path("runs") / "labs"


@dataclass
class LabList:
    """How the list is wanted."""

    json: bool = False
    """One JSON object instead of a table."""


@dataclass
class LabOutput:
    """Where the report goes and what is printed."""

    out: Path | None = None
    """Folder of the report, written over if it is there; None takes a new one in runs/labs."""
    json: bool = False
    """One JSON object instead of tables."""


def lab(args: list[str]) -> int:
    """Run a lab; without a name, list them."""
    if not args or args[0].startswith("-"):
        about = (
            f"The experiments of the book; {PROG} ID runs one, {PROG} ID --help shows its flags."
        )
        return _list(parse(LabList, args, PROG, about).json)
    known = {entry.id: entry for entry in catalog.labs()}
    if args[0] not in known:
        raise unknown("lab", args[0], known)
    entry = known[args[0]]
    asked: Any = parse(lab_form(entry), args[1:], f"{PROG} {entry.id}", entry.title)
    settings = dataclasses.asdict(asked.settings)
    check_arguments(entry.run, settings)
    report = entry.run(**settings)
    if not isinstance(report, Report):
        kind = type(report).__name__
        raise FreediveError(f"the lab {entry.id!r} gives {kind}: let it return a Report")
    if not asked.output.json:
        print_report(entry, report)
    files = report.save(asked.output.out or _new_folder(entry))
    if asked.output.json:
        print_json(
            {
                **lab_row(entry),
                "settings": settings,
                "numbers": report.numbers,
                "tables": report.tables,
                "notes": report.notes,
                "files": files,
            }
        )
    else:
        print("written: " + ", ".join(map(str, files)))
    return 0


def lab_form(entry: Lab) -> type:
    """A dataclass with every flag of a lab: its function's arguments, and where the report goes."""
    settings = dataclasses.make_dataclass("Settings", arguments(entry.run, {}, set()))
    fields = {"settings": settings, "output": LabOutput}
    return dataclasses.make_dataclass(
        f"lab_{entry.id.replace('-', '_')}",
        [(name, kind, dataclasses.field(default_factory=kind)) for name, kind in fields.items()],
    )


def topic_of(entry: Lab) -> str:
    """The room a lab stands in."""
    return inspect.unwrap(entry.run).__module__.split(".")[-2]


def lab_row(entry: Lab) -> dict[str, str]:
    """A lab in a list."""
    return {"lab": entry.id, "section": entry.section, "what": entry.title}


def print_labs(labs: list[Lab]) -> None:
    """A table of labs."""
    rows = [tuple(lab_row(entry).values()) for entry in labs]
    print_table(("lab", "section", "what"), rows)
    print(f"{PROG} ID runs one, {PROG} ID --help shows its flags")


def print_report(entry: Lab, report: Report) -> None:
    """Numbers, tables and notes, for people."""
    print(f"{entry.id} · section {entry.section} · {entry.title}\n")
    if report.numbers:
        print_table(("measured", "value"), [(k, _short(v)) for k, v in report.numbers.items()])
    for title, rows in report.tables.items():
        if not rows:
            print(f"{title}: nothing")
            continue
        columns = list(dict.fromkeys(column for row in rows for column in row))
        print_table(columns, [[row.get(column) for column in columns] for row in rows], title)
    for note in report.notes:
        print(note)


def _list(as_json: bool) -> int:
    labs = catalog.labs()
    if as_json:
        print_json({"labs": [lab_row(entry) for entry in labs]})
        return 0
    print_labs(labs)
    return 0


def _short(value: Any) -> Any:
    """A measured value that fits in a line."""
    if isinstance(value, (list, tuple)):
        parts = [str(_short(part)) for part in value[:8]]
        return ", ".join([*parts, "…"] if len(value) > 8 else parts)
    return f"{value:.4g}" if isinstance(value, float) else value


def _new_folder(entry: Lab) -> Path:
    """A folder of its own for a report, named by the time."""
    stem = datetime.now().strftime("%Y%m%d-%H%M%S")
    for name in (stem, *(f"{stem}-{i}" for i in range(2, 100))):
        folder = LABS / entry.id / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.is_dir():
                continue
            raise FreediveError(f"{folder} cannot be made: a part of it is a file") from None
        except OSError as error:
            raise storage_error(folder, error) from error
        return folder
    raise FreediveError(f"{LABS / entry.id / stem} is there already: pass another folder by --out")
