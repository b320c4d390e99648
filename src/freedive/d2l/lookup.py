"""How an old name is found in its module when it is first asked for."""

import difflib
import importlib
from typing import Any

from freedive.d2l.names import BOTH, CHINESE, ENGLISH

# what the old file had imported, and old code reaches through it
MODULES = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "plt": "matplotlib.pyplot",
    "pd": "pandas",
    **{name: name for name in ("collections", "hashlib", "inspect", "math", "os", "random")},
    **{name: name for name in ("re", "shutil", "sys", "tarfile", "time", "zipfile", "requests")},
}
HOMES = {
    name: module
    for table in (BOTH, ENGLISH, CHINESE)
    for module, names in table.items()
    for name in names.split()
}
ALL = sorted([*HOMES, *MODULES])


def found(name: str, older: bool = False) -> Any:
    """What an old name means.

    Args:
        name: the name.
        older: take the second edition's where the two disagree.

    Raises:
        AttributeError: in neither generation; says which name is nearest.
    """
    if name in MODULES:
        if name == "plt":
            without_display()
        return importlib.import_module(MODULES[name])
    if name in HOMES:
        module = importlib.import_module(f"freedive.d2l.{HOMES[name]}")
        return (getattr(module, "OLDER", {}) if older else {}).get(name) or getattr(module, name)
    near = difflib.get_close_matches(name, ALL, 1, 0.6)
    raise AttributeError(
        f"d2l has no {name!r} in either edition's chapters that freedive covers"
        + (f": did you mean {near[0]!r}?" if near else ": docs/d2l.md lists all names")
    )


def without_display() -> None:
    """Choose a backend that needs no display, where there is none and nobody has chosen."""
    import os
    import sys

    import matplotlib

    linux = sys.platform.startswith("linux")
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if linux and not shown and "MPLBACKEND" not in os.environ and "IPython" not in sys.modules:
        matplotlib.use("agg")
