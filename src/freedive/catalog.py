"""The things a topic can offer, and how they are found.

A topic is a package in `freedive.topics`, or one that another distribution names in the entry
point group ``freedive.topics``. Importing its modules is enough: the decorators here note what
they meet.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Literal, TypeVar

from freedive.core.data import DataModule
from freedive.core.errors import FreediveError, UsageError, unknown
from freedive.core.module import Module
from freedive.core.random import preserved_random_state, seed_everything

Form = Literal["scratch", "concise"]
M = TypeVar("M", bound=type[Module])
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class System:
    """A model of the book with everything that is needed to train it.

    Attributes:
        id: its name on the command line.
        section: of the book.
        data: the real data set; its ``standin`` works offline.
        trainer: arguments of the trainer that the book uses.
        data_settings: arguments of the data that the model's defaults want, such as ``resize``.
        presets: other settings by name; each maps arguments of model, data or trainer to values.
        forms: the model classes, ``scratch`` and ``concise``.
    """

    id: str
    section: str = ""
    data: type[DataModule] = DataModule
    trainer: dict[str, Any] = field(default_factory=dict)
    data_settings: dict[str, Any] = field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    forms: dict[Form, type[Module]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The room it stands in."""
        return room_of(self.model())

    @property
    def title(self) -> str:
        """One line on what it is."""
        return first_line(self.model())

    def form(self, asked: Form | None = None) -> Form:
        """The form asked for; concise where there is a choice."""
        return asked or ("concise" if "concise" in self.forms else "scratch")

    def model(self, form: Form | None = None) -> type[Module]:
        """The model class in one form; concise where there is a choice."""
        form = self.form(form)
        if form not in self.forms:
            raise UsageError(
                f"{self.id} is not written {form}: pass --impl {', '.join(self.forms)}"
            )
        return self.forms[form]

    def preset(self, name: str | None) -> dict[str, Any]:
        """What differs from the defaults of model, data and trainer under a preset, or without."""
        if name is None:
            return {**self.data_settings, **self.trainer}
        if name not in self.presets:
            raise unknown(f"preset of {self.id}", name, self.presets)
        return {**self.data_settings, **self.trainer, **self.presets[name]}


@dataclass(frozen=True)
class Lab:
    """An experiment: typed parameters in, a report out."""

    id: str
    section: str
    run: Callable[..., Any]

    @property
    def title(self) -> str:
        """One line on what it shows."""
        return first_line(self.run)


@dataclass(frozen=True)
class Verdict:
    """One measured figure beside what was expected of it."""

    measured: Any
    expected: Any
    difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the difference lies within the tolerance; a NaN does not."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Claim:
    """What the book says, as a check with measured figures.

    An erratum's statement is the corrected one; ``printed`` is what the book has instead.
    """

    section: str
    statement: str
    check: Callable[[], Iterable[tuple[Any, ...]]]
    sources: tuple[str, ...] = ()
    printed: str | None = None

    @property
    def topic(self) -> str:
        """The room it stands in."""
        return room_of(self.check)

    def verify(self, seed: int = 0) -> list[Verdict]:
        """Run the check from a seed; a claim that yields nothing has shown nothing: an error."""
        with preserved_random_state():
            seed_everything(seed)
            verdicts = [judge(*evidence) for evidence in self.check()]
        if not verdicts:
            raise FreediveError(f"the claim {self.statement!r} measured nothing")
        return verdicts


SYSTEMS: dict[str, System] = {}
LABS: dict[str, Lab] = {}
CLAIMS: list[Claim] = []


def system(
    id: str,
    section: str = "",
    data: type[DataModule] | None = None,
    trainer: dict[str, Any] | None = None,
    data_settings: dict[str, Any] | None = None,
    presets: dict[str, dict[str, Any]] | None = None,
    form: Form = "concise",
) -> Callable[[M], M]:
    """Offer a model class as a system of the catalog.

    The other form of a system that is declared elsewhere names only its id and ``form``.
    """

    def note(model: M) -> M:
        entry = SYSTEMS.setdefault(id, System(id))
        if form in entry.forms and entry.forms[form].__qualname__ != model.__qualname__:
            raise UsageError(f"two models are called {id!r} ({form}): rename {model.__qualname__}")
        entry.forms[form] = model
        if data is not None:
            entry.section, entry.data = section, data
            entry.trainer, entry.presets = trainer or {}, presets or {}
            entry.data_settings = data_settings or {}
        return model

    return note


def lab(id: str, section: str) -> Callable[[F], F]:
    """Offer a function as a lab."""

    def note(run: F) -> F:
        LABS[id] = Lab(id, section, run)
        return run

    return note


def claim(section: str, statement: str, source: str | tuple[str, ...] = ()) -> Callable[[F], F]:
    """Offer a generator of ``(measured, expected[, tolerance])`` as the check of a claim."""
    return _noting_claim(section, statement, source, None)


def erratum(
    section: str, statement: str, printed: str, source: str | tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Like `claim`, for a corrected statement; ``printed`` says what the book has instead."""
    return _noting_claim(section, statement, source, printed)


def _noting_claim(
    section: str, statement: str, source: str | tuple[str, ...], printed: str | None
) -> Callable[[F], F]:
    def note(check: F) -> F:
        sources = (source,) if isinstance(source, str) else source
        if all(
            known.check.__qualname__ != check.__qualname__
            or known.check.__module__ != check.__module__
            for known in CLAIMS
        ):
            CLAIMS.append(Claim(section, statement, check, sources, printed))
        return check

    return note


def judge(measured: Any, expected: Any, tolerance: float = 1e-6) -> Verdict:
    """Compare a measured figure with an expected one: numbers, tensors, or anything equal.

    An expected pair ``(low, high)`` for a number is an interval.
    """
    import torch

    if isinstance(measured, torch.Tensor) and measured.dim() == 0:
        measured = measured.item()
    if isinstance(expected, tuple) and isinstance(measured, (int, float)):
        low, high = expected
        outside = max(low - measured, measured - high, 0.0)
        return Verdict(measured, expected, outside if measured == measured else float("nan"), 0.0)
    if isinstance(measured, (bool, str)) or isinstance(expected, (bool, str)):
        return Verdict(measured, expected, float(measured != expected), 0.0)
    a = torch.as_tensor(measured, dtype=torch.float64).detach()
    b = torch.as_tensor(expected, dtype=torch.float64).detach()
    if a.shape != b.shape:
        return Verdict(measured, expected, float("inf"), tolerance)
    # equal infinities differ by nothing
    gaps = torch.where(a == b, torch.zeros_like(a), (a - b).abs())
    return Verdict(measured, expected, float(gaps.max()) if a.numel() else 0.0, tolerance)


@cache
def discover() -> None:
    """Import every module of every topic, so that the decorators meet what there is."""
    topics = importlib.import_module("freedive.topics")
    rooms = [f"{topics.__name__}.{m.name}" for m in pkgutil.iter_modules(topics.__path__)]
    for room in rooms:
        _import_room(importlib.import_module(room))
    for point in entry_points(group="freedive.topics"):
        try:
            _import_room(point.load())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # another package's fault must not take the catalog away
            import warnings

            told = f"the topic {point.name!r} ({point.value}) cannot be loaded: {error}"
            warnings.warn(told, stacklevel=2)


def _import_room(room: ModuleType) -> None:
    for module in pkgutil.walk_packages(getattr(room, "__path__", ()), f"{room.__name__}."):
        importlib.import_module(module.name)


def room_of(thing: Any) -> str:
    """The room that a class or function stands in; a room of one file is that file."""
    *above, _ = parts = thing.__module__.split(".")
    return str((above or parts)[-1])


def by_section(section: str) -> list[int]:
    """A key that sorts sections as the book does: 7.10 after 7.9."""
    return [int(number) for number in re.findall(r"\d+", section)]


def systems() -> list[System]:
    """All systems, in the book's order."""
    discover()
    whole = [s for s in SYSTEMS.values() if s.section]
    return sorted(whole, key=lambda s: (by_section(s.section), s.id))


def find_system(id: str) -> System:
    """The system of that name; an unknown one is an error with the nearest name."""
    discover()
    if id not in SYSTEMS:
        raise unknown("system", id, SYSTEMS)
    if not SYSTEMS[id].section:
        raise UsageError(f"{id} has only a second form: declare it once with section and data")
    return SYSTEMS[id]


def labs() -> list[Lab]:
    """All labs, in the book's order."""
    discover()
    return sorted(LABS.values(), key=lambda entry: (by_section(entry.section), entry.id))


def claims(where: str | None = None) -> list[Claim]:
    """The claims of a topic, of a section and those below it, or all, in the book's order."""
    discover()
    known = sorted(CLAIMS, key=lambda c: by_section(c.section))
    if where is None:
        return known
    found = [c for c in known if where == c.topic or f"{c.section}.".startswith(f"{where}.")]
    if not found:
        raise unknown("topic or section", where, {c.topic for c in known})
    return found


def classes() -> Iterator[type[Module]]:
    """Every model class of the catalog."""
    for entry in systems():
        yield from entry.forms.values()


def first_line(thing: Any) -> str:
    """The first sentence of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n", 1)[0]
