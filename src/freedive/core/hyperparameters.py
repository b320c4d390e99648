"""Arguments that become attributes, and that are checked at the door (section 3.2.1)."""

import contextlib
import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from freedive.core.errors import UsageError, unknown


@dataclass(frozen=True)
class Bounds:
    """The numbers that an argument may take; stands in its annotation."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # the lower bound itself is excluded
    whole: bool = False

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        if not math.isfinite(value):
            return False
        number: Any = value
        return (self.low < number if self.above else self.low <= number) and number <= self.high

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        if math.isfinite(self.high):
            start = "above" if self.above else "from"
            return f"a {kind} {start} {self.low:g} to {self.high:g}"
        return f"a {kind} {'above' if self.above else 'of at least'} {self.low:g}"


Count = Annotated[int, Bounds(1, whole=True)]
Whole = Annotated[int, Bounds(0, whole=True)]
Positive = Annotated[float, Bounds(0, above=True)]
NonNegative = Annotated[float, Bounds(0)]
Probability = Annotated[float, Bounds(0, 1)]


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations; one whose names cannot be found (yet) is left out."""
    function = inspect.unwrap(function)
    found = {}
    for name, hint in inspect.get_annotations(function).items():
        with contextlib.suppress(Exception):
            found[name] = eval(hint, function.__globals__) if isinstance(hint, str) else hint
    return found


@cache
def bounds_of(function: Callable[..., Any]) -> dict[str, Bounds]:
    """The bounds written in a signature: argument name to bounds."""
    return {
        name: mark
        for name, hint in annotations_of(function).items()
        for part in (hint, *getattr(hint, "__args__", ()))  # also inside Optional
        for mark in getattr(part, "__metadata__", ())
        if isinstance(mark, Bounds)
    }


@cache
def choices_of(function: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """The words written as `Literal` in a signature: argument name to words."""
    hints = annotations_of(function).items()
    return {name: get_args(hint) for name, hint in hints if get_origin(hint) is Literal}


def check_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise `UsageError` for the first argument outside its declared bounds or words."""
    for name, bounds in bounds_of(function).items():
        value = arguments.get(name)
        if value is not None and value not in bounds:
            raise UsageError(f"{name} wants {bounds}, got {value!r}")
    for name, words in choices_of(function).items():
        if name in arguments and arguments[name] not in words:
            raise unknown(name, arguments[name], words)


class HyperParameters:
    """Base of all classes whose constructor arguments are settings."""

    hparams: dict[str, Any]

    if TYPE_CHECKING:  # the attributes that save_hyperparameters makes

        def __getattr__(self, name: str) -> Any: ...

    def save_hyperparameters(self, ignore: Iterable[str] = ()) -> None:
        """Make every argument of the calling ``__init__`` an attribute, and keep them in `hparams`.

        Called at each level of an inheritance chain, each level adds its own. An argument
        annotated with `Bounds` (`Count`, `Positive`, …) is checked first.

        Raises:
            UsageError: an argument lies outside its bounds.
        """
        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        caller = frame.f_back
        names, _, _, values = inspect.getargvalues(caller)
        given = {n: values[n] for n in names[1:] if n not in set(ignore) and not n.startswith("_")}
        for owner in type(self).__mro__:
            init = vars(owner).get("__init__")
            if init and getattr(inspect.unwrap(init), "__code__", None) is caller.f_code:
                check_arguments(init, given)
        self.hparams = {**getattr(self, "hparams", {}), **given}
        for name, value in given.items():
            setattr(self, name, value)
