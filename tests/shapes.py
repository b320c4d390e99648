"""The type checker of the tests: the shapes in signatures hold on every call.

Only tensors are checked here. What a user may get wrong, such as a number out of its bounds, is
the program's own to refuse, and other tests see to that.
"""

from collections.abc import Callable
from typing import Any

from beartype import beartype
from jaxtyping import AbstractArray


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check a function's tensors at each call, and nothing else."""
    hints = getattr(function, "__annotations__", {})
    shaped = {name: hint for name, hint in hints.items() if _is_shaped(hint)}
    if not shaped:
        return function
    function.__annotations__ = shaped
    return beartype(function)


def _is_shaped(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)
