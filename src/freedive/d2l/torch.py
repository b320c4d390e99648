"""All old names, each imported when it is first used: ``from d2l import torch as d2l``."""

from typing import Any

from freedive.d2l.lookup import ALL, found

__all__ = ALL


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # a dunder that Python looks for is no old name
        raise AttributeError(name)
    value = found(name)
    globals()[name] = value  # so that what old code changes stays changed
    return value


def __dir__() -> list[str]:
    return ALL
