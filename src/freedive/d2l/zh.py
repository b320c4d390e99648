"""All old names, as the second edition (d2l 0.17) has them where the two disagree."""

from typing import Any

from freedive.d2l.lookup import ALL, found

__all__ = ALL


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = found(name, older=True)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return ALL
