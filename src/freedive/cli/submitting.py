"""``freedive submit``: a run's predictions for the rows whose target nobody has told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from freedive.cli.judging import Chosen
from freedive.cli.looking import data_label
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json
from freedive.cli.texts import facts_of
from freedive.core.device import choose_device
from freedive.core.errors import FreediveError, UsageError
from freedive.core.files import write_whole
from freedive.core.predicting import predicting
from freedive.data.submission import submission_text
from freedive.data.tables import TABLE
from freedive.data.tabular import TableCodec, read_table
from freedive.experiment import Experiment
from freedive.runs import Run, find_run


@dataclass
class Submit(Chosen):
    """For which rows, and where the file goes."""

    out: Path = Path("submission.csv")
    """The file to write; one that is there is replaced."""
    table: Path | None = None
    """A CSV file with the columns that the run has learnt from; None takes the data's test rows."""


def submit(args: list[str]) -> int:
    """Write a file with an id and a predicted price a row, and check it."""
    about = "A run's predictions for the rows whose target is not known, as a CSV file."
    asked = parse(Submit, args, "freedive submit", about)
    run = find_run(asked.run, Path(asked.runs_dir))
    experiment = Experiment.from_json(run.record)
    if experiment.entry.data.task != "table":
        raise UsageError(
            f"submit wants a run on a table, {run.folder} is one of {experiment.system}, which "
            f"learns from {experiment.entry.data.task}: freedive train house-prices makes one"
        )
    codec = TableCodec.from_json(run.asset(TABLE))
    data: Any = experiment.build_data()
    rows = data.read_test() if asked.table is None else read_table(asked.table.expanduser())
    if rows is None:
        raise UsageError(f"{data.label} has no rows to predict: pass --table FILE")
    id_name = data.id_column or "Id"
    ids = [str(i) for i in (rows[id_name] if id_name in rows.columns else rows.index)]
    prices = predicted(run, experiment, asked, codec, rows)
    write_whole(asked.out, submission_text(id_name, codec.target, ids, prices))
    told: dict[str, Any] = {"run": str(run.folder), "data": data.label, "out": str(asked.out),
                            "rows": len(ids), "checkpoint": asked.checkpoint}  # fmt: skip
    if asked.table is None and hasattr(data, "answers"):
        told["log_rmse"] = log_rmse(prices, data.answers()[codec.target].tolist())
    if asked.json:
        print_json(told)
        return 0
    print(f"{run.folder}, trained on {data_label(run.record)}")
    print(f"{asked.out}: {len(ids):,} rows {id_name},{codec.target}, checked: every id in its "
          "place, every price finite and above 0")  # fmt: skip
    if "log_rmse" in told:
        print(f"these houses were drawn, so their prices are known: log-RMSE {told['log_rmse']}")
    return 0


def predicted(
    run: Run, experiment: Experiment, asked: Submit, codec: TableCodec, rows: Any
) -> list[float]:
    """What a run's model says of each row, in the target's own unit.

    Raises:
        FreediveError: the kept codec does not belong to the weights.
    """
    facts = facts_of(run)
    if len(codec.features) != facts.get("num_inputs"):
        raise FreediveError(
            f"{run.folder / TABLE} makes {len(codec.features)} features of a row, the weights "
            f"want {facts.get('num_inputs')}: restore it"
        )
    device = choose_device(asked.device)
    model = experiment.model_for(facts).to(device)
    run.load_weights(model, asked.checkpoint)
    X: torch.Tensor = codec.encode(rows)
    with predicting(model):
        outputs = model(X.to(device)).float().cpu().reshape(-1)
    prices: list[float] = codec.decoded(outputs).tolist()
    return prices


def log_rmse(prices: Sequence[float], true: Sequence[float]) -> float:
    """√(1/n Σ (log ŷ − log y)²), to four digits."""
    errors = [math.log(a) - math.log(b) for a, b in zip(prices, true, strict=True)]
    return round(math.sqrt(math.fsum(e * e for e in errors) / len(errors)), 4)
