"""The flags of ``freedive train SYSTEM``: made from the signatures of model, data and trainer."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_origin

import docstring_parser
import tyro

from freedive.catalog import System
from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import annotations_of, bounds_of
from freedive.core.trainer import Trainer
from freedive.experiment import data_class, signature_defaults

# what a command line cannot say, or says with --data
NOT_FLAGS = ("callbacks", "run", "progress", "folder", "file")


def told(help_text: str) -> Any:
    """The help of a flag, for its annotation."""
    return tyro.conf.arg(help=help_text)


@dataclass
class Choice:
    """What decides which other flags there are."""

    system: Annotated[str, tyro.conf.Positional, told("a system: freedive list shows all")]
    impl: Annotated[
        Literal["scratch", "concise"] | None,
        told("from tensors up, or with torch.nn; None takes concise where there is a choice"),
    ] = None
    preset: Annotated[str | None, told("settings by name: freedive show SYSTEM shows them")] = None
    data: Annotated[
        str,
        told(
            "auto, a data set (freedive data list), a folder of images, text:FILE, pairs:FILE or "
            "table:FILE"
        ),
    ] = "auto"
    text: Annotated[str | None, told("a text in UTF-8 to learn from: --data text:FILE")] = None
    pairs: Annotated[
        str | None,
        told("a file with a sentence, a tab and its translation a line: --data pairs:FILE"),
    ] = None
    table: Annotated[
        str | None,
        told("a CSV file whose column --target is to be predicted: --data table:FILE"),
    ] = None
    init: Annotated[
        str | None,
        told("a run whose best weights are the first ones here, where names and shapes are equal"),
    ] = None

    @property
    def data_name(self) -> str:
        """What ``--data`` says, or one of the flags that stand for it.

        Raises:
            UsageError: more than one of them was given.
        """
        own = {"text": self.text, "pairs": self.pairs, "table": self.table}
        files = {f"--{kind}": path for kind, path in own.items() if path is not None}
        given = [*(["--data"] if self.data != "auto" else []), *files]
        if len(given) > 1:
            raise UsageError(f"train wants one set of data, got {' and '.join(given)}: leave one")
        for kind, path in own.items():
            if path is not None:
                return f"{kind}:{path}"
        return self.data


@dataclass
class Output:
    """Where the run goes and what is printed."""

    runs_dir: str = "runs"
    """Folder of all runs."""
    name: str | None = None
    """Name of this run; the time of its start if left out."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """End standard output with one JSON object."""


def train_form(system: System, choice: Choice, data: type[DataModule]) -> type:
    """A dataclass with every flag of a system, in groups; defaults are the preset's."""
    preset = system.preset(choice.preset)
    # what needs no file: its facts have the same names
    example: Any = data_class(getattr(system.data, "standin", None) or system.data.name)
    from_data = set(example().model_arguments())
    model = arguments(system.model(choice.impl), preset, from_data)
    of_data = signature_defaults(data)
    groups = {
        "model": [flag for flag in model if flag[0] not in of_data],  # the model is told by them
        "data_set": arguments(data, preset, set()),
        "trainer": arguments(Trainer, {"seed": 0, **preset}, set()),
    }
    fields: list[Any] = [(f.name, f.type, f) for f in dataclasses.fields(Choice)]
    taken = {name for name, *_ in fields}
    for group, members in groups.items():
        own = [member for member in members if member[0] not in taken]
        taken |= {name for name, *_ in own}
        kind = dataclasses.make_dataclass(group.title().replace("_", " "), own)
        fields.append((group, kind, dataclasses.field(default_factory=kind)))
    fields.append(("output", Output, dataclasses.field(default_factory=Output)))
    copied = [(name, kind, _copy(field)) for name, kind, field in fields]
    return dataclasses.make_dataclass(f"train_{system.id.replace('-', '_')}", copied)


def arguments(
    kind: Callable[..., Any], changed: Mapping[str, Any], from_data: set[str]
) -> list[tuple[str, Any, Any]]:
    """A constructor's arguments as dataclass fields: name, type with help, default."""
    init = kind.__init__ if inspect.isclass(kind) else kind
    hints = annotations_of(init)
    docs = argument_docs(kind)
    bounds = bounds_of(init)
    fields = []
    for parameter in inspect.signature(kind).parameters.values():
        name = parameter.name
        if name in NOT_FLAGS or name not in hints:
            continue
        help_text = " ".join((docs.get(name) or "").split()).rstrip(".")
        if name in bounds:
            help_text += f" ({bounds[name]})"
        hint, default = hints[name], changed.get(name, parameter.default)
        if isinstance(default, tuple) and get_origin(hint) is not tuple:
            hint = tuple[float, ...]  # from Python, a tensor will do as well
        if name in from_data:
            hint, default, help_text = hint | None, None, f"{help_text} (None: known from the data)"
        marked: Any = Annotated[hint, told(help_text)]
        fields.append((name, marked, dataclasses.field(default=default)))
    return fields


def argument_docs(kind: Callable[..., Any]) -> dict[str, str | None]:
    """What a docstring says of each argument; a class inherits what it does not say itself."""
    docs: dict[str, str | None] = {}
    for owner in reversed(kind.__mro__) if inspect.isclass(kind) else (kind,):
        found = docstring_parser.parse(owner.__doc__ or "").params
        docs.update({p.arg_name: p.description for p in found})
    return docs


def _copy(field: Any) -> Any:
    """A field that may stand in another dataclass."""
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory)
    return dataclasses.field(default=field.default)
