"""A system with all its settings: how it is built, trained, and built again from a run's record."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from freedive.catalog import Form, System, find_system, systems
from freedive.core.data import DataModule
from freedive.core.errors import DataError, UsageError, unknown
from freedive.core.module import Module
from freedive.core.random import seed_everything
from freedive.core.trainer import Trainer
from freedive.data import DATASETS, find_dataset


@dataclass(frozen=True)
class Experiment:
    """What is to be trained, on what, and how; JSON can say all of it.

    Attributes:
        data: name of the data set, or a folder of one's own.
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
        homes = (system.model(form), data_class(name), Trainer)
        model, data_arguments, trainer = (
            {k: v for k, v in settings.items() if k in signature_defaults(home)} for home in homes
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
        kind: Any = data_class(self.data)
        check_known(self.data, self.data_arguments, signature_defaults(kind))
        if kind.name == "own-images":
            return kind(folder=self.data, **self.data_arguments)
        return kind(**self.data_arguments)

    def build_model(self, data: DataModule) -> Module:
        """The model with its initial weights, fitted to what the data say of themselves."""
        seed_everything(self.seed)
        kind = self.entry.model(self.form)
        known = signature_defaults(kind)
        facts = {k: v for k, v in data.model_arguments().items() if k in known}
        given = {k: v for k, v in self.model.items() if v is not None}
        check_known(kind.__name__, given, known)
        check_classes(kind.__name__, given, facts)
        if "image_size" in known:
            check_square(kind.__name__, data)
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


def check_classes(model: str, given: dict[str, Any], facts: dict[str, Any]) -> None:
    """Refuse a model with fewer outputs than the data have classes."""
    for name in ("num_outputs", "num_classes"):
        if name in given and given[name] < facts.get(name, 0):
            raise UsageError(
                f"{model} wants {name} of at least {facts[name]}, the number of classes of these "
                f"data, got {given[name]}: leave {name} out"
            )
    for name in ("num_inputs", "image_size", "in_channels"):
        if name in given and name in facts and given[name] != facts[name]:
            raise UsageError(
                f"{model} wants {name}={facts[name]} for these data, got {given[name]}: "
                f"leave {name} out"
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
    """The class behind a data set's name, or behind a folder of one's own images."""
    if not name:
        raise UsageError("--data wants auto, the name of a data set or a folder, got nothing")
    of_topics = {system.data.name: system.data for system in systems()}
    if name in of_topics:
        return of_topics[name]
    if name not in DATASETS and ("/" in name or "\\" in name or Path(name).exists()):
        from freedive.data.own_images import OwnImages

        return OwnImages
    return find_dataset(name)


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
