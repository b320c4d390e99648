"""``freedive train`` and ``freedive resume``."""

import contextlib
import dataclasses
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from freedive.catalog import find_system
from freedive.cli.forms import Choice, Output, train_form
from freedive.cli.parsing import parse, parse_known
from freedive.cli.screen import (
    example_inputs,
    metrics_text,
    print_curves,
    print_json,
    print_layers,
    print_news,
    seconds_text,
)
from freedive.cli.texts import abilities
from freedive.core.data import DataModule
from freedive.core.device import describe_device
from freedive.core.errors import FreediveError, UsageError
from freedive.core.history import History
from freedive.core.module import Module
from freedive.core.trainer import Trainer
from freedive.experiment import Experiment, choose_data, data_class, lasting_name
from freedive.provenance import fresh_record
from freedive.runs import Run, find_run
from freedive.transfer import start_from

PROG = "freedive train"


def train(args: list[str]) -> int:
    """Train a system in a run folder of its own."""
    asks_help = bool({"-h", "--help"} & set(args))
    if not args or args[0].startswith("-"):
        if asks_help:
            parse(Choice, ["--help"], PROG, f"{PROG} SYSTEM --help shows every flag of a system.")
        raise UsageError("train wants the name of a system first: freedive list shows all")
    choice, _ = parse_known(Choice, args, PROG, add_help=False)
    system = find_system(choice.system)
    system.preset(choice.preset)  # an unknown one is refused before data are looked for
    system.model(choice.impl)
    name, origin = choice.data_name, ""
    if not asks_help:
        name, origin = choose_data(system, name)
    elif name == "auto":
        name = system.data.name
    name = lasting_name(name)
    form = train_form(system, choice, data_class(name))
    asked: Any = parse(form, args, f"{PROG} {system.id}", system.title)
    experiment = Experiment(
        system=system.id,
        form=system.form(choice.impl),
        data=name,
        preset=choice.preset,
        model=dataclasses.asdict(asked.model),
        data_arguments=dataclasses.asdict(asked.data_set),
        trainer=dataclasses.asdict(asked.trainer),
    )
    before = None if choice.init is None else find_run(choice.init, Path(asked.output.runs_dir))
    return begin(experiment, asked.output, origin, before)


def begin(experiment: Experiment, output: Output, origin: str, before: Run | None = None) -> int:
    """Build everything, and only then make the run's folder.

    Args:
        experiment: what is to be trained.
        output: where it goes.
        origin: where the data come from, in words.
        before: a run whose weights are the first ones, where they fit.
    """
    data = experiment.build_data()
    model = experiment.build_model(data)
    init = {} if before is None else {"init": start_from(before, model, data)}
    trainer = experiment.build_trainer(progress=not output.quiet)
    record = {
        **fresh_record(),
        **experiment.to_json(),
        "data_origin": origin,
        "synthetic": data.synthetic,
        "data_fingerprint": data.fingerprint(),
        "facts": data.model_arguments(),
        "device": describe_device(trainer.device),
        "seed": experiment.seed,
        **init,
    }
    if not output.quiet:
        print(headline(record, trainer), flush=True)
        print_init(record)
        print_advice(experiment, trainer)
        print_news()
    data.train_dataloader(), data.val_dataloader()  # damaged files: found before there is a run
    root = Path(output.runs_dir)
    run = Run.create(root, experiment.system, output.name, record, data.assets())
    try:
        return carry_out(run, model, data, trainer, output)
    finally:
        run.release()


@dataclass
class Resume:
    """What may be changed when a run goes on."""

    run: Annotated[str, tyro.conf.Positional]
    """Folder of the run, or its name below the runs' folder."""
    max_epochs: int | None = None
    """Train up to this epoch instead."""
    runs_dir: str = "runs"
    """Folder of all runs."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """End standard output with one JSON object."""


def resume(args: list[str]) -> int:
    """Go on with a run where it was stopped or killed."""
    asked = parse(Resume, args, "freedive resume", "Go on with a run that was stopped or killed.")
    run = find_run(asked.run, Path(asked.runs_dir))
    run.claim()
    try:
        return _resume(run, asked)
    finally:
        run.release()


def _resume(run: Run, asked: Resume) -> int:
    experiment = Experiment.from_json(run.record)
    behind = len(run.history)
    if asked.max_epochs is not None:
        if asked.max_epochs < behind:
            raise UsageError(f"{run.folder} has {behind} epochs behind it: pass more --max-epochs")
        experiment.trainer["max_epochs"] = asked.max_epochs
    data = experiment.build_data()
    if data.fingerprint() != run.record["data_fingerprint"]:
        raise FreediveError(
            f"the data {experiment.data} are not those that {run.folder} began with: "
            "give it the same files"
        )
    model = experiment.build_model(data)
    trainer = experiment.build_trainer(progress=not asked.quiet)
    # a missing or damaged checkpoint is refused before anything changes
    if behind or run.best.exists() or run.last.exists():
        run.load_weights(model, "last")
        if run.best.exists():
            run.load_weights(model, "best")
    elif init := run.record.get("init"):  # killed before its first checkpoint
        start_from(find_run(init["run"]), model, data, init["sha256"])
    run.update(status="running", trainer=experiment.trainer)
    if not asked.quiet:
        print(headline(run.record, trainer), flush=True)
    output = Output(asked.runs_dir, run.folder.name, asked.quiet, asked.json)
    return carry_out(run, model, data, trainer, output)


def carry_out(run: Run, model: Module, data: DataModule, trainer: Trainer, output: Output) -> int:
    """Train, write what is to be looked at, and say how it went."""
    record = run.record
    if not output.quiet:
        print_layers(model, example_inputs(data))
    began = time.perf_counter() - float(record.get("seconds") or 0.0)
    trainer.run = run.folder
    try:
        history = trainer.fit(model, data, resume=True)
    except KeyboardInterrupt:
        run.update(status="interrupted")
        way_on = f"freedive resume {shlex.quote(str(run.folder))}"
        raise FreediveError(
            f"stopped at once; from the last checkpoint goes on  {way_on}"
        ) from None
    except BaseException:
        with contextlib.suppress(FreediveError):  # the first error is the one to tell
            run.update(status=trainer.history.status)
        raise
    seconds = time.perf_counter() - began
    result = summarize(run, history, seconds)
    run.update(**{k: result[k] for k in ("status", "metrics", "best", "epochs", "seconds")})
    notes, trouble = look_at(run, model, data, history)
    if not output.quiet:
        print_curves(model.board)
        print_summary(run, history, seconds, notes)
    if output.json:
        print_json(result)
    if trouble is not None:
        raise FreediveError(f"the run is finished and saved, but not its samples: {trouble}")
    if history.status == "interrupted":
        raise FreediveError(
            f"interrupted in epoch {trainer.epoch + 1} of {trainer.max_epochs}, all is saved: "
            f"go on with  freedive resume {shlex.quote(str(run.folder))}"
        )
    return 0


def look_at(
    run: Run, model: Module, data: DataModule, history: History
) -> tuple[list[str], Exception | None]:
    """Write the samples of the best weights: a line on each, and what went wrong if it did.

    Who presses Ctrl-C wants to wait for nothing more: then there are none.
    """
    if history.status == "interrupted":
        return [], None
    try:
        run.load_weights(model, "best" if run.best.exists() else "last")
        return model.write_samples(data, run.folder / "samples"), None
    except KeyboardInterrupt:
        return ["the samples were interrupted"], None
    except Exception as error:  # what was learnt is saved already, and is not to look failed
        return [], error


def headline(record: dict[str, Any], trainer: Trainer) -> str:
    """System, data, device and settings in one line."""
    preset = f", {record['preset']}" if record["preset"] else ""
    origin = f": {record['data_origin']}" if record["data_origin"] else ""
    label = f" (synthetic{origin})" if record["synthetic"] else origin.replace(": ", ", ")
    settings = {**record["model"], **record["data_arguments"], **record.get("facts", {})}
    named = {"batch_size": "batch", "num_steps": "steps", "vocab_size": "vocabulary",
             "src_vocab_size": "source vocabulary", "tgt_vocab_size": "target vocabulary",
             "lr": "lr", "num_hiddens": "hidden units"}  # fmt: skip
    chosen = (f"{word} {settings[name]}" for name, word in named.items() if name in settings)
    parts = [
        f"{record['system']} ({record['form']}{preset}) on {record['data']}{label}",
        describe_device(trainer.device),
        f"{trainer.max_epochs} epochs",
        *chosen,
        f"seed {record['seed']}",
    ]
    return " · ".join(parts)


def print_init(record: dict[str, Any]) -> None:
    """Say how much of the model does not begin at random."""
    if "init" in record:
        init = record["init"]
        print(f"begins with {init['taken']} of {init['of']} parameters from {init['run']}")


def print_advice(experiment: Experiment, trainer: Trainer) -> None:
    """Say before hours are spent that there is a preset of minutes."""
    large = (experiment.data_arguments.get("resize") or 0) > 64
    if large and trainer.device.type == "cpu" and "small" in experiment.entry.presets:
        print("these are the sizes of the book, for a GPU: --preset small trains in minutes here")


def summarize(run: Run, history: History, seconds: float) -> dict[str, Any]:
    """What a program wants to know of a run that has ended."""
    record = run.record
    return {
        "run": str(run.folder),
        "system": record["system"],
        "impl": record["form"],
        "data": record["data"],
        "synthetic": record["synthetic"],
        "status": history.status,
        "metrics": {k: v for k, v in history.last.items() if k != "epoch"},
        "best": history.best(),
        "epochs": len(history),
        "seconds": round(seconds, 3),
    }


def print_summary(run: Run, history: History, seconds: float, notes: list[str]) -> None:
    """How it went, where it is kept, what one may do next."""
    best = history.best()
    epochs = "1 epoch" if len(history) == 1 else f"{len(history)} epochs"
    print(f"{history.status}: {epochs} in {seconds_text(seconds)}")
    if best:
        metrics = {k: v for k, v in best.items() if k.startswith("val_")} or best
        print(f"best epoch {best['epoch']}: {metrics_text(metrics)}")
    for note in notes:
        print(note)
    samples = sorted(f"samples/{p.name}" for p in (run.folder / "samples").glob("*"))
    print(f"kept in {run.folder}: {', '.join(['curves.svg', 'metrics.jsonl', *samples])}")
    folder = shlex.quote(str(run.folder))
    writing = [f"freedive {ability} {folder} TEXT" for ability in abilities(run)]
    ways = [*writing, f"freedive evaluate {folder}", f"freedive plot {folder}",
            f"freedive show {run.record['system']}"]  # fmt: skip
    print(f"next: {' · '.join(ways)}")
