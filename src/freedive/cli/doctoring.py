"""``freedive doctor``: what is wrong with a model and raises no error."""

import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from torch import nn

from freedive import catalog
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json
from freedive.core.data import DataModule
from freedive.core.errors import FreediveError, UsageError, unknown
from freedive.core.random import seed_everything
from freedive.experiment import (
    Experiment,
    choose_data,
    data_class,
    named_data,
    signature_defaults,
)
from freedive.runs import all_runs, find_run

DRAWN = {"num_train": 1024, "num_val": 256}  # of data that are made by code: enough to look at


@dataclass
class Doctor:
    """Who is to be examined, and on what."""

    who: Annotated[str, tyro.conf.Positional]
    """A system, a run, or path/to/file.py:ClassName."""
    data: str | None = None
    """A data set, a folder of images, text:FILE or pairs:FILE; a system's or a run's own if left
    out."""
    impl: Literal["scratch", "concise"] | None = None
    """Of a system: from tensors up, or with torch.nn."""
    preset: str | None = None
    """Of a system: settings by name."""
    runs_dir: str = "runs"
    """Folder of all runs."""
    json: bool = False
    """One JSON object instead of text."""


def doctor(args: list[str]) -> int:
    """Examine a model; the exit code is 1 where something was found."""
    about = "Find what is wrong with a model and raises no error."
    asked = parse(Doctor, args, "freedive doctor", about)
    model, data = patient(asked)
    from freedive.insight.doctor import doctor as examine
    from freedive.insight.features import InsightError

    try:
        diagnosis = examine(model, data)
    except InsightError as error:
        raise UsageError(str(error)) from None
    if asked.json:
        print_json({"model": asked.who, **diagnosis.to_json()})
    else:
        print(f"{asked.who}: {type(model).__name__}, {len(diagnosis)} findings")
        print(diagnosis)
    return 1 if diagnosis else 0


def patient(asked: Doctor) -> tuple[nn.Module, DataModule | None]:
    """The model and the data that a command line names."""
    systems = {entry.id for entry in catalog.systems()}
    if asked.who in systems:
        return from_system(asked)
    if asked.impl or asked.preset:
        raise UsageError(f"--impl and --preset are a system's, and {asked.who} is none: leave them")
    path, colon, name = asked.who.rpartition(":")
    if colon and path.endswith(".py"):
        return from_file(Path(path), name), None if asked.data is None else examples(asked.data)
    if asked.who.endswith(".py"):
        raise UsageError(f"doctor wants the name of a class too: {asked.who}:ClassName")
    try:
        run = find_run(asked.who, Path(asked.runs_dir))
    except UsageError:
        runs = {f"{r.folder.parent.name}/{r.folder.name}" for r in all_runs(Path(asked.runs_dir))}
        raise unknown("system or run", asked.who, systems | runs) from None
    experiment = Experiment.from_json(run.record)
    data = experiment.build_data()
    model = experiment.build_model(data)
    run.load_weights(model)
    return model, data if asked.data is None else examples(asked.data)


def from_system(asked: Doctor) -> tuple[nn.Module, DataModule]:
    """A system with its first weights, and data of its kind."""
    entry = catalog.find_system(asked.who)
    entry.preset(asked.preset)  # an unknown one is refused before data are looked for
    name, _ = choose_data(entry, asked.data or "auto")
    few = DRAWN if data_class(name).synthetic else {}
    experiment = Experiment.of(entry, asked.impl, name, asked.preset, **few)
    data = experiment.build_data()
    return experiment.build_model(data), data


def examples(name: str) -> DataModule:
    """A data set; few examples where they are made by code."""
    seed_everything(0)
    kind: Any
    kind, path = named_data(name)
    known = signature_defaults(kind)
    return kind(**path, **{k: v for k, v in DRAWN.items() if kind.synthetic and k in known})


def from_file(path: Path, name: str) -> nn.Module:
    """A model of a user's own: a class, a function that makes one, or the model itself.

    Raises:
        UsageError: no such file or name, arguments are wanted, or what is there is no model.
        FreediveError: the file, or the class, raises.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}: look at the path before the colon")
    found = vars(imported(path))
    if name not in found:
        models = [n for n, v in found.items() if isinstance(v, type) and issubclass(v, nn.Module)]
        raise unknown(f"class in {path}", name, models)
    thing = found[name]
    if callable(thing) and not isinstance(thing, nn.Module):
        wanted = required_arguments(thing)
        if wanted:
            raise UsageError(
                f"{name} wants the arguments {', '.join(wanted)}: give them defaults, or name a "
                f"function without arguments, such as  def make(): return {name}(…)"
            )
        seed_everything(0)
        try:
            thing = thing()
        except (Exception, SystemExit) as error:
            raise FreediveError(f"{name}() raised {told(error)}: mend it first") from None
    if not isinstance(thing, nn.Module):
        raise UsageError(f"{path}:{name} is no nn.Module, but a {type(thing).__name__}")
    return thing


def imported(path: Path) -> Any:
    """A file as a module; its own folder is searched for what it imports."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise FreediveError(f"{path} cannot be imported: it raised {told(error)}") from None
    finally:
        sys.path[:] = before
    return module


def required_arguments(thing: Any) -> list[str]:
    """The arguments that a class or function cannot do without."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def told(error: BaseException) -> str:
    """An error in one line, with the line of the file where Python knows it."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
