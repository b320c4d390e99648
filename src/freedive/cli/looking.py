"""``freedive list``, ``runs`` and ``plot``: they change nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from freedive import catalog
from freedive.cli.labs import lab_row, print_labs, topic_of
from freedive.cli.parsing import parse
from freedive.cli.screen import (
    metrics_text,
    print_curves,
    print_json,
    print_table,
    seconds_text,
)
from freedive.core.board import ProgressBoard
from freedive.core.errors import FreediveError, UsageError, unknown
from freedive.core.history import JUDGED_BY
from freedive.runs import Run, all_runs, find_run


@dataclass
class List:
    """What is to be listed."""

    topic: Annotated[str | None, tyro.conf.Positional] = None
    """Only what stands in this room."""
    json: bool = False
    """One JSON object instead of a table."""


def list_systems(args: list[str]) -> int:
    """What can be run."""
    asked = parse(List, args, "freedive list", "The systems and labs of the book, in its order.")
    found, labs = catalog.systems(), catalog.labs()
    if asked.topic is not None:
        topic = asked.topic.replace("-", "_")
        topics = {*(s.topic for s in found), *map(topic_of, labs)}
        if topic not in topics:
            raise unknown("topic", asked.topic, topics)
        found = [s for s in found if s.topic == topic]
        labs = [entry for entry in labs if topic_of(entry) == topic]
    rows = [
        {
            "system": s.id,
            "section": s.section,
            "topic": s.topic,
            "forms": sorted(s.forms),
            "presets": list(s.presets),
            "data": s.data.name,
            "what": s.title,
        }
        for s in found
    ]
    if asked.json:
        print_json({"systems": rows, "labs": list(map(lab_row, labs))})
        return 0
    if rows:
        print_systems(rows)
    if labs:
        print_labs(labs)
    return 0


def print_systems(rows: list[dict[str, Any]]) -> None:
    """A table of systems."""
    print_table(
        ("system", "section", "written", "presets", "data", "what"),
        [
            (r["system"], r["section"], ", ".join(r["forms"]), ", ".join(r["presets"]), r["data"],
             r["what"])
            for r in rows
        ],
    )  # fmt: skip
    print("freedive train SYSTEM trains one, freedive show SYSTEM tells more")


@dataclass
class Runs:
    """Which runs are to be listed."""

    system: Annotated[str | None, tyro.conf.Positional] = None
    """Only the runs of this system."""
    runs_dir: str = "runs"
    """Folder of all runs."""
    json: bool = False
    """One JSON object instead of a table."""


def list_runs(args: list[str]) -> int:
    """The runs so far."""
    asked = parse(Runs, args, "freedive runs", "The runs so far, the latest last.")
    rows = []
    for run in all_runs(Path(asked.runs_dir)):
        try:
            rows.append(_run_row(run))
        except FreediveError as error:  # one damaged record hides none of the others
            rows.append({"run": str(run.folder), "status": f"unreadable: {error}"})
    if asked.system:
        rows = [r for r in rows if r.get("system") == asked.system]
    if asked.json:
        print_json({"runs": rows})
        return 0
    if not rows:
        print(f"no runs in {asked.runs_dir} yet: freedive train lenet makes one")
        return 0
    columns = ("run", "status", "data", "epochs", "best", "seconds")
    for row in rows:
        best: dict[str, Any] = row.get("best") or {}
        seconds = row.get("seconds")
        judged = [name for name in JUDGED_BY if name in best]
        row["best"] = f"{judged[0]} {best[judged[0]]:.4f}" if judged else ""
        row["seconds"] = seconds_text(seconds) if isinstance(seconds, (int, float)) else ""
        row["data"] = data_label({"data": "", **row})
    print_table(columns, [[r.get(c, "") for c in columns] for r in rows])
    return 0


def _run_row(run: Run) -> dict[str, Any]:
    record, history = run.record, run.history
    best = history.best()
    return {
        "run": str(run.folder),
        "system": record["system"],
        "impl": record.get("form"),
        "status": run.status,
        "data": record.get("data"),
        "synthetic": record.get("synthetic"),
        "epochs": len(history),
        "best": best,
        "seconds": record.get("seconds"),
        "started": record.get("started"),
        "metrics": {k: v for k, v in history.last.items() if k != "epoch"},
    }


@dataclass
class Plot:
    """Which curves are to be drawn."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders or names of runs."""
    metric: str | None = None
    """Only this metric, such as val_acc."""
    out: Path | None = None
    """Write a figure here (.svg, .png, .pdf) instead of drawing in the terminal."""
    runs_dir: str = "runs"
    """Folder of all runs."""


def plot(args: list[str]) -> int:
    """The curves of runs, in one picture."""
    asked = parse(Plot, args, "freedive plot", "The curves of one run or several.")
    if not asked.runs:
        raise UsageError("plot wants at least one run: freedive runs lists them")
    runs = [find_run(name, Path(asked.runs_dir)) for name in asked.runs]
    board = curves_of(runs, asked.metric)
    if asked.out is not None:
        board.save(asked.out)
        print(f"written: {asked.out}")
        return 0
    print_curves(board)
    for run in runs:
        best = run.history.best()
        print(f"{run.folder} on {data_label(run.record)}: best epoch {best['epoch']}", end="")
        print(f": {metrics_text(best)}")
    return 0


def data_label(record: dict[str, Any]) -> str:
    """A run's data as every output shows them; what was made by code says so."""
    return f"{record['data']} (synthetic)" if record.get("synthetic") else str(record["data"])


def distinct_names(folders: list[Path]) -> dict[Path, str]:
    """The shortest ends of paths that tell them apart."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = {folder: "/".join(folder.parts[-length:]) for folder in folders}
        if len(set(names.values())) == len(names):
            break
    return names


def curves_of(runs: list[Run], metric: str | None = None) -> ProgressBoard:
    """The epoch means of several runs on one board."""
    board = ProgressBoard(xlabel="epoch", display=False)
    known: set[str] = set()
    names = distinct_names([run.folder for run in runs])
    board.title = ", ".join(sorted({data_label(run.record) for run in runs}))
    for run in runs:
        for row in run.history:
            known |= {k for k in row if k not in ("epoch", "seconds")}
            for name in sorted(known & set(row)):
                label = name if len(runs) == 1 else f"{names[run.folder]} {name}"
                if metric in (None, name) and row[name] is not None:
                    board.draw(row["epoch"], row[name], label)
    if metric is not None and metric not in known:
        raise unknown("metric of these runs", metric, known)
    if not board.series:
        raise FreediveError(f"{runs[0].folder} has no finished epoch yet: nothing to draw")
    return board
