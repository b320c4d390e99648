"""A system with all its settings: how it is built, trained, and built again from a run's record."""

import contextlib
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from freedive.catalog import Form, System, find_system, systems
from freedive.core.data import DataModule
from freedive.core.errors import DataError, UsageError, unknown
from freedive.core.module import Module
from freedive.core.random import seed_everything
from freedive.core.trainer import Trainer
from freedive.data import DATASETS, find_dataset

# files of one's own: what stands before the colon in text:FILE, and what reads such a file
OWN_FILES = {
    "text": "freedive.data.time_machine:OwnText",
    "pairs": "freedive.data.fra_eng:OwnPairs",
    "table": "freedive.data.tables:OwnTable",
}
CLASSES = ("num_outputs", "num_classes")  # a model may have more of them than the data


@dataclass(frozen=True)
class Experiment:
    """What is to be trained, on what, and how; JSON can say all of it.

    Attributes:
        data: name of the data set, a folder of images, or ``text:FILE``, ``pairs:FILE`` or
            ``table:FILE``.
        model, data_arguments, trainer: constructor arguments that differ from none, by name.
    """

    system: str
    form: Form
    data: str
    preset: str | None = None
    model: dict[str, Any] = field(default_factory=dict)
    data_arguments: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        system: System,
        form: Form | None = None,
        data: str | None = None,
        preset: str | None = None,
        **more: Any,
    ) -> "Experiment":
        """A system as a preset has it.

        Args:
            system: its entry in the catalog.
            form: scratch or concise; concise where there is a choice.
            data: another data set than its own.
            preset: settings by name.
            more: arguments of model, data or trainer, which come before the preset's.
        """
        form = system.form(form)
        name = data or system.data.name
        settings = {**system.preset(preset), **more}
        of_data = signature_defaults(data_class(name))
        of_model = signature_defaults(system.model(form)).keys() - of_data.keys()
        model, data_arguments, trainer = (
            {k: v for k, v in settings.items() if k in known}
            for known in (of_model, of_data, signature_defaults(Trainer))
        )
        return cls(system.id, form, name, preset, model, data_arguments, trainer)

    @property
    def entry(self) -> System:
        """The system's entry in the catalog."""
        return find_system(self.system)

    @property
    def seed(self) -> int:
        """Of every source of chance."""
        return int(self.trainer.get("seed") or 0)

    def build_data(self) -> DataModule:
        """The data set; one that is drawn from the global generators is drawn from the seed."""
        seed_everything(self.seed)
        kind: Any
        kind, path = named_data(self.data)
        check_known(self.data, self.data_arguments, signature_defaults(kind))
        return kind(**path, **self.data_arguments)

    def build_model(self, data: DataModule) -> Module:
        """The model with its initial weights, fitted to what the data say of themselves."""
        kind = self.entry.model(self.form)
        if "image_size" in signature_defaults(kind):
            check_square(kind.__name__, data)
        return self.model_for(data.model_arguments())

    def model_for(self, facts: dict[str, Any]) -> Module:
        """The model for data that say these facts of themselves; a run's record keeps them."""
        seed_everything(self.seed)
        kind = self.entry.model(self.form)
        known = signature_defaults(kind)
        facts = {k: v for k, v in facts.items() if k in known}
        given = {k: v for k, v in self.model.items() if v is not None}
        check_known(kind.__name__, given, known)
        check_facts(kind.__name__, given, facts)
        return kind(**{**facts, **given})

    def build_trainer(self, **more: Any) -> Trainer:
        """The trainer."""
        return Trainer(**{**self.trainer, **more})

    def to_json(self) -> dict[str, Any]:
        """For a run's record."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Experiment":
        """From a run's record."""
        fields = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        for group in ("model", "data_arguments", "trainer"):  # JSON has no tuples
            given = fields.get(group, {})
            fields[group] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        return cls(**fields)


def check_known(what: str, given: dict[str, Any], known: dict[str, Any]) -> None:
    """Refuse arguments that a constructor does not have, such as those of an edited record."""
    for name in given:
        if name not in known:
            raise unknown(f"argument of {what}", name, known)


def check_square(model: str, data: DataModule) -> None:
    """Refuse images of unequal sides for a model that wants one size."""
    _, height, width = getattr(data, "image_shape", (1, 0, 0))
    if height != width and not getattr(data, "resize", None):
        raise UsageError(
            f"{model} wants square images, got {height}×{width}: pass resize={max(height, width)} "
            "to the data"
        )


def check_facts(model: str, given: dict[str, Any], facts: dict[str, Any]) -> None:
    """Refuse a model of other sizes than the data; more outputs than classes do no harm."""
    for name, wanted in facts.items():
        got = given.get(name, wanted)
        if name in CLASSES and got < wanted:
            raise UsageError(
                f"{model} wants {name} of at least {wanted}, the number of classes of these "
                f"data, got {got}: leave {name} out"
            )
        if name not in CLASSES and got != wanted:
            raise UsageError(
                f"{model} wants {name}={wanted} for these data, got {got}: leave {name} out"
            )


def check_task(system: System, name: str) -> None:
    """Refuse data of another kind than the system learns from."""
    wanted, given = system.data.task, data_class(name).task
    if wanted != given:
        raise UsageError(
            f"{system.id} learns from {wanted}, {name} is {given or 'something else'}: "
            f"pass --data {system.data.name}"
        )


def data_class(name: str) -> type[DataModule]:
    """The class behind a data set's name, or behind a folder or file of one's own."""
    return named_data(name)[0]


def named_data(name: str) -> tuple[type[DataModule], dict[str, str]]:
    """The class behind what ``--data`` says, and the folder or file that it says besides."""
    if not name:
        raise UsageError("--data wants auto, the name of a data set or a folder, got nothing")
    of_topics = {system.data.name: system.data for system in systems()}
    if name in of_topics:
        return of_topics[name], {}
    kind, _, path = name.partition(":")
    if kind in OWN_FILES:
        if not path:
            raise UsageError(f"{kind}: wants a file behind the colon, such as {kind}:FILE")
        module, _, attribute = OWN_FILES[kind].partition(":")
        return getattr(import_module(module), attribute), {"file": path}
    if name in DATASETS or not ("/" in name or "\\" in name or Path(name).exists()):
        return find_dataset(name), {}
    if Path(name).is_file():
        ways = " or ".join(f"{kind}:{name}" for kind in OWN_FILES)
        raise UsageError(f"{name} is a file: say what it holds, {ways}")
    from freedive.data.own_images import OwnImages

    return OwnImages, {"folder": name}


def lasting_name(name: str) -> str:
    """What ``--data`` says, such that it means the same from any folder."""
    _, own = named_data(name)
    for path in own.values():
        name = name.removesuffix(path) + str(Path(path).expanduser().resolve())
    return name


def data_at_hand(system: System) -> str:
    """A system's data set if it is on this machine, else its stand-in: nothing is fetched."""
    availability = getattr(system.data, "availability", None)
    standin = getattr(system.data, "standin", None)
    if availability is None or standin is None:
        return system.data.name
    with contextlib.suppress(DataError):  # what is wrong with FREEDIVE_DATA, training will tell
        if availability(download=False):
            return system.data.name
    return str(standin)


def choose_data(system: System, name: str = "auto") -> tuple[str, str]:
    """Which data set to take, and where it comes from or why it was taken, in words.

    ``auto`` takes the real one where it is given, cached or can be fetched, else its stand-in.

    Raises:
        DataError: FREEDIVE_DATA, or files in it, are not what they should be.
    """
    if name != "auto":
        check_task(system, name)
        return name, ""
    real = system.data
    availability = cast(Callable[[], str | None] | None, getattr(real, "availability", None))
    if availability is None:
        return real.name, ""
    source = availability()
    if source in ("given", "cached"):
        return real.name, {"given": "from FREEDIVE_DATA", "cached": "from the cache"}[source]
    try:
        fetched = real()
        fetched.train_dataloader(), fetched.val_dataloader()
    except DataError:
        standin = getattr(real, "standin", None)
        if standin is None:
            raise
        return standin, f"{real.name} is not on this machine and cannot be fetched"
    return real.name, "fetched"


def signature_defaults(kind: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a constructor and their defaults."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
