"""The type checker of the tests: the shapes in signatures hold.

Only tensors are checked here. What a user may get wrong, such as a number out of its bounds, is
the program's own to refuse, and other tests see to that.

A check costs more than many a function does. So one that says nothing of shapes is left alone from
its second call on, and one that a test has called `CALLS` times is left alone until the next test.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from beartype import beartype
from jaxtyping import AbstractArray

CALLS = 30  # the thousandth of a loop is like the first
Name = tuple[str, str]  # module and qualified name

HAS_SHAPES: dict[Name, bool] = {}  # whether a function's hints, with the return's, have shapes
calls: Counter[Name] = Counter()  # of the present test
left_alone: set[Callable[..., Any]] = set()


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check a function's tensors, and nothing else.

    jaxtyping gives each function twice: first one with all hints, then one without the return's.
    """
    name = (function.__module__, function.__qualname__)
    hints = getattr(function, "__annotations__", {})
    shaped = {name: hint for name, hint in hints.items() if _is_shaped(hint)}
    function.__annotations__ = shaped
    checked = beartype(function) if shaped else function
    has_shapes = HAS_SHAPES.setdefault(name, bool(shaped))

    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        if calls[name] > 2 * CALLS or not has_shapes:
            leave_alone(name)
        return checked(*args, **kwargs)

    return counted


def leave_alone(name: Name) -> None:
    """Let calls of a function pass unchecked; one that cannot be found is checked for ever."""
    place: Any = sys.modules.get(name[0])
    for part in name[1].split("."):
        place = inspect.getattr_static(place, part, None)
    function = getattr(place, "__func__", getattr(place, "fget", place))
    if function is None or not hasattr(function, "__wrapped__"):
        return
    function = inspect.unwrap(function)
    function.__no_type_check__ = True
    if HAS_SHAPES[name]:
        left_alone.add(function)


def check_anew() -> None:
    """Begin a test: every function with shapes is checked again."""
    while left_alone:
        del left_alone.pop().__no_type_check__  # type: ignore[attr-defined]
    calls.clear()


def _is_shaped(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)
