"""``freedive compare``: scratch against concise, or run against run."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from freedive import catalog
from freedive.cli.looking import curves_of, data_label
from freedive.cli.parsing import parse
from freedive.cli.screen import print_curves, print_json, print_table
from freedive.core.errors import UsageError
from freedive.experiment import Experiment, choose_data
from freedive.parity import Parity, measure_parity
from freedive.runs import Run, find_run


@dataclass
class Compare:
    """What is to be compared."""

    what: Annotated[tuple[str, ...], tyro.conf.Positional]
    """One system (its two forms) or several runs."""
    data: str = "auto"
    """A data set, a folder of images, text:FILE or pairs:FILE, whose first batch the two forms are
    given."""
    preset: str | None = None
    """Settings by name of the two forms."""
    seed: int = 0
    """Of the weights."""
    out: Path | None = None
    """Write the runs' curves here (.svg, .png, .pdf)."""
    runs_dir: str = "runs"
    """Folder of all runs."""
    json: bool = False
    """One JSON object instead of text."""


def compare(args: list[str]) -> int:
    """Compare the forms of a system, or runs."""
    asked = parse(Compare, args, "freedive compare", "Scratch against concise, or run against run.")
    if not asked.what:
        raise UsageError("compare wants one system or at least two runs")
    if len(asked.what) == 1:
        return _compare_forms(asked.what[0], asked)
    runs = [find_run(name, Path(asked.runs_dir)) for name in asked.what]
    return _compare_runs(runs, asked)


def _compare_forms(id: str, asked: Compare) -> int:
    system = catalog.find_system(id)
    if len(system.forms) < 2:
        raise UsageError(f"{id} is written only {', '.join(system.forms)}: nothing to compare")
    system.preset(asked.preset)  # an unknown one is refused before data are looked for
    name, origin = choose_data(system, asked.data)
    forms = [
        Experiment.of(system, form, name, asked.preset, seed=asked.seed)
        for form in ("scratch", "concise")
    ]
    data = forms[0].build_data()
    scratch, concise = (experiment.build_model(data) for experiment in forms)
    batch = next(iter(data.train_dataloader()))
    found = measure_parity(scratch, concise, batch)
    agree = found.outputs < 1e-4 and found.gradients < 1e-4
    slow, fast = found.milliseconds
    if asked.json:
        print_json({"system": id, "data": data.label, "agree": agree, **vars(found)})
        return 0 if agree else 1
    sample = f"one batch of {len(batch[-1])} of {data.label}"
    print(f"{id}: scratch against concise, equal weights, {sample}")
    if origin:
        print(origin)
    print_table(("", "scratch − concise"), _parity_rows(found))
    print(f"a training step: scratch {slow:.2f} ms, concise {fast:.2f} ms, ratio {slow / fast:.2f}")
    print("they agree" if agree else "THEY DIFFER")
    return 0 if agree else 1


def _parity_rows(found: Parity) -> list[tuple[str, str]]:
    return [
        ("outputs, largest difference", f"{found.outputs:.1e}"),
        ("loss", f"{found.loss:.1e}"),
        ("gradients, largest difference", f"{found.gradients:.1e}"),
    ]


def _compare_runs(runs: list[Run], asked: Compare) -> int:
    rows = []
    for run in runs:
        record, history = run.record, run.history
        best = history.best()
        rows.append(
            {
                "run": str(run.folder),
                "form": record.get("form"),
                "data": data_label(record),
                "epochs": len(history),
                "best epoch": best.get("epoch"),
                **{k: v for k, v in best.items() if k.startswith("val_")},
                "seconds": record.get("seconds"),
            }
        )
    board = curves_of(runs)
    if asked.out is not None:
        board.save(asked.out)
    if asked.json:
        print_json({"runs": rows})
        return 0
    columns = list(dict.fromkeys(name for row in rows for name in row))
    print_table(columns, [[row.get(c) for c in columns] for row in rows])
    print_curves(board)
    if asked.out is not None:
        print(f"written: {asked.out}")
    elif not sys.stdout.isatty():
        print("--out compare.svg draws the curves")
    return 0
