"""``freedive evaluate`` and ``freedive predict``: a run's model at work."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from freedive.cli.looking import data_label
from freedive.cli.parsing import parse
from freedive.cli.screen import metrics_text, print_json, print_table
from freedive.cli.texts import read_as_learnt, refuse_writers
from freedive.core.data import DataModule
from freedive.core.errors import DataError, UsageError
from freedive.core.module import Module
from freedive.core.trainer import Trainer
from freedive.experiment import (
    Experiment,
    check_task,
    data_class,
    lasting_name,
    signature_defaults,
)
from freedive.runs import Run, find_run


@dataclass
class Chosen:
    """A run, and which of its checkpoints."""

    run: Annotated[str, tyro.conf.Positional]
    """Folder of the run, its name, or a system's name for its latest run."""
    checkpoint: Literal["best", "last"] = "best"
    """Which weights."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    runs_dir: str = "runs"
    """Folder of all runs."""
    json: bool = False
    """One JSON object instead of text."""


@dataclass
class Evaluate(Chosen):
    """What is to be measured."""

    data: str | None = None
    """Another data set of the same kind, a folder of images, text:, pairs: or table:FILE, whose
    validation examples are taken; the run's own data if left out."""
    num_val: int | None = None
    """How many validation examples of that other data set."""


def evaluate(args: list[str]) -> int:
    """The means of a run's model over the validation examples."""
    asked = parse(Evaluate, args, "freedive evaluate", "Measure a run's model on validation data.")
    run = find_run(asked.run, Path(asked.runs_dir))
    model, data, experiment = load(run, asked.checkpoint, asked.data, asked.num_val)
    precision = experiment.trainer.get("precision", "32")
    trainer = Trainer(device=asked.device, precision=precision, progress=False)
    row = trainer.validate(model, data)
    name = experiment.data
    if asked.json:
        print_json({"run": str(run.folder), "data": name, "synthetic": data.synthetic,
                    "checkpoint": asked.checkpoint, "metrics": row})  # fmt: skip
    else:
        label = data_label({"data": name, "synthetic": data.synthetic})
        print(f"{run.folder} ({asked.checkpoint}) on {label}: {metrics_text(row)}")
    return 0


@dataclass
class Predict(Chosen):
    """On what the model is to be tried."""

    files: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Picture files; without any, examples of the data set are taken."""
    examples: int = 8
    """How many validation examples, where no files are given."""
    top: int = 3
    """How many guesses to show for each."""


def predict(args: list[str]) -> int:
    """What a run's model says to pictures or to validation examples."""
    asked = parse(Predict, args, "freedive predict", "A run's model on pictures or examples.")
    if asked.examples < 1 or asked.top < 1:
        raise UsageError("predict wants --examples and --top of at least 1")
    run = find_run(asked.run, Path(asked.runs_dir))
    refuse_writers(run)
    model, data, _ = load(run, asked.checkpoint)
    trainer = Trainer(device=asked.device)
    if asked.files:
        X, truth = pictures(asked.files, data), [None] * len(asked.files)
        names = list(asked.files)
    else:
        X, truth = examples(data, asked.examples)
        names = [f"example {i}" for i in range(len(X))]
    model.to(trainer.device).eval()
    with torch.no_grad():
        output = model(X.to(trainer.device)).float().cpu()
    rows = [guesses(o, t, data, asked.top) for o, t in zip(output, truth, strict=True)]
    if asked.json:
        print_json({"run": str(run.folder), "data": data.label, "predictions": [
            {"input": name, **row} for name, row in zip(names, rows, strict=True)]})  # fmt: skip
        return 0
    print(f"{run.folder}, trained on {data.label}")
    print_table(
        ("input", "prediction", "truth"),
        [
            (name, _guess_text(row), str(row.get("truth", "")))
            for name, row in zip(names, rows, strict=True)
        ],
    )
    return 0


def load(
    run: Run, checkpoint: str = "best", data_name: str | None = None, num_val: int | None = None
) -> tuple[Module, DataModule, Experiment]:
    """A run's model with its weights, and the data that go with it or that are named."""
    experiment = Experiment.from_json(run.record)
    name = experiment.data if data_name is None else lasting_name(data_name)
    if name != experiment.data:
        check_task(experiment.entry, name)
        arguments = adapted(experiment, name, num_val)
        experiment = replace(experiment, data=name, data_arguments=arguments)
    elif num_val is not None:
        raise UsageError("--num-val is of other data than the run's own: pass --data too")
    data = experiment.build_data()
    read_as_learnt(run, data)
    model = experiment.build_model(data)
    run.load_weights(model, checkpoint)
    return model, data, experiment


def adapted(experiment: Experiment, name: str, num_val: int | None) -> dict[str, Any]:
    """The arguments of other data, such that they fit the model of an experiment."""
    known, given = signature_defaults(data_class(name)), experiment.data_arguments
    kept = [k for k in ("batch_size", "num_steps", "resize") if k in known and k in given]
    return {k: given[k] for k in kept} | ({} if num_val is None else {"num_val": num_val})


def pictures(files: tuple[str, ...], data: Any) -> torch.Tensor:
    """Picture files as a batch of the shape that the data have."""
    from freedive.data.images import as_floats
    from freedive.data.own_images import read_picture

    if not hasattr(data, "image_shape"):
        raise DataError(f"pictures want a model of images; this one is of {data.name}")
    channels, height, _ = data.image_shape
    size = data.resize or height
    return as_floats(torch.cat([read_picture(Path(f), size, channels) for f in files]))


def examples(data: DataModule, number: int) -> tuple[torch.Tensor, list[Any]]:
    """The first validation examples and their targets."""
    inputs, targets, found = [], [], 0
    for X, y in data.val_dataloader() or ():
        inputs.append(X)
        targets += y.tolist()
        found += len(X)
        if found >= number:
            break
    return torch.cat(inputs)[:number], targets[:number]


def guesses(output: torch.Tensor, truth: Any, data: Any, top: int) -> dict[str, Any]:
    """One example's likeliest classes, or its number where the model gives one."""
    names = getattr(data, "class_names", None)
    if names is None:
        unit = getattr(data, "in_units", float)  # such as prices, where logarithms are learnt
        row: dict[str, Any] = {"prediction": round(unit(float(output.reshape(-1)[0])), 4)}
        truth = truth[0] if isinstance(truth, list) else truth
        return row if truth is None else {**row, "truth": round(unit(float(truth)), 4)}
    names = [*names, *map(str, range(len(names), len(output)))]
    shares = output.softmax(dim=0)
    best = shares.topk(min(top, len(names)))
    likeliest = [names[i] for i in best.indices.tolist()]
    row = {
        "prediction": likeliest[0],
        "probabilities": dict(
            zip(likeliest, (round(p, 4) for p in best.values.tolist()), strict=True)
        ),
    }
    return row if truth is None else {**row, "truth": names[truth]}


def _guess_text(row: dict[str, Any]) -> str:
    shares = row.get("probabilities")
    return (
        ", ".join(f"{n} {p:.0%}" for n, p in shares.items()) if shares else str(row["prediction"])
    )
