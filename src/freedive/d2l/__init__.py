"""The old names: code written against ``from d2l import torch as d2l`` runs on freedive.

`freedive.d2l.torch` has the public names of both generations of the d2l package; where they
disagree, the call's arguments decide, and where they cannot, the newer one wins and the older
stands in `freedive.d2l.zh`.
"""

import importlib
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
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
    package = ModuleType("d2l", __doc__)
    package.__path__ = []  # the house's own files are no part of the old package
    package.__spec__ = ModuleSpec("d2l", None, is_package=True)
    vars(package).update(__version__="1.0.3", __getattr__=__getattr__)
    sys.modules["d2l"] = package
    for name in ("torch", "zh"):
        meant = "zh" if older else name
        module = sys.modules[f"d2l.{name}"] = importlib.import_module(f"{__name__}.{meant}")
        setattr(package, name, module)
    if not any(isinstance(finder, Flavours) for finder in sys.meta_path):
        sys.meta_path.insert(0, Flavours())


class Flavours:
    """Answers ``import d2l.mxnet`` with what freedive speaks."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Nothing is found here; a flavour raises."""
        package, _, flavour = name.partition(".")
        if package == "d2l" and flavour in FLAVOURS:
            raise not_spoken(flavour)


def not_spoken(flavour: str) -> ImportError:
    """The error for another framework's half of the book."""
    return ImportError(
        f"d2l.{flavour} is the book's {flavour} code, and freedive speaks torch: write "
        "from d2l import torch as d2l, and take the section's PyTorch tab"
    )


def __getattr__(name: str) -> Any:
    if name in ("torch", "zh"):
        return importlib.import_module(f"{__name__}.{name}")
    if name in FLAVOURS:
        raise not_spoken(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: from d2l import torch")
