"""The old names: code written against ``from d2l import torch as d2l`` runs on freedive.

`freedive.d2l.torch` has the public names of both generations of the d2l package; where they
disagree, the call's arguments decide, and where they cannot, the newer one wins and the older
stands in `freedive.d2l.zh`.
"""

import importlib
import os
import sys
from typing import Any

FLAVOURS = ("mxnet", "tensorflow", "paddle", "jax")


def fast() -> bool:
    """Whether training is to be cut to two batches of one epoch: FREEDIVE_D2L_FAST is set."""
    return os.environ.get("FREEDIVE_D2L_FAST", "0") not in ("", "0")


def activate(older: bool = False) -> None:
    """Let ``d2l`` mean this package in this process, whether or not another one is installed.

    Args:
        older: ``d2l.torch`` has the second edition's meaning where the two editions disagree.
    """
    package = sys.modules["d2l"] = sys.modules[__name__]
    for name in ("torch", "zh"):
        meant = "zh" if older else name
        module = importlib.import_module(f"{__name__}.{meant}")
        sys.modules[f"d2l.{name}"] = module
        setattr(package, name, module)


def __getattr__(name: str) -> Any:
    if name in ("torch", "zh"):
        return importlib.import_module(f"{__name__}.{name}")
    if name in FLAVOURS:
        raise ImportError(
            f"d2l.{name} is the book's {name} code, and freedive speaks torch: write "
            "from d2l import torch as d2l, and take the section's PyTorch tab"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: from d2l import torch")
