"""What old code takes from a notebook, for where there is none: IPython.display, pyplot's show.

This module is a matplotlib backend, too (``MPLBACKEND=module://freedive.d2l.inline``): figures
are drawn without a display, and ``plt.show()`` hands them to whoever has hooked in.
"""

import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

HOOKS: dict[str, Callable[..., None]] = {}  # display, clear_output, show: the console's


class FigureManager(FigureManagerBase):
    """Shows pyplot's figures by handing them on."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """All open figures; never waits for anybody."""
        if "show" in HOOKS:
            HOOKS["show"]()

    def show(self) -> None:
        """One figure (``fig.show()``)."""
        display(self.canvas.figure)


class FigureCanvas(FigureCanvasAgg):
    """Draws into memory."""

    manager_class = FigureManager


def display(*values: Any, **_: Any) -> None:
    """Show values as a notebook does; where nobody has hooked in, print them."""
    show = HOOKS.get("display", print)
    for value in values:
        show(value)


def clear_output(wait: bool = False) -> None:
    """Forget what the cell has shown, at once or with the next thing that it shows."""
    if "clear_output" in HOOKS:
        HOOKS["clear_output"](wait)


def set_matplotlib_formats(*_: Any, **__: Any) -> None:
    """Nothing: how sharp a picture is, is for whoever keeps it."""


class Rich:
    """A text in a language that a notebook draws: HTML, Markdown, SVG, LaTeX."""

    mime = "text/plain"

    def __init__(self, data: str = "", **_: Any):
        self.data = data

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {self.mime: self.data}


class Shell:
    """What ``get_ipython()`` gives to scripts made of notebooks: every command is passed over."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Tab:
    """The frameworks' tabs of the book's sources: this one is PyTorch's."""

    def interact_select(self, *_: Any) -> None:
        """Nothing: the choice is made."""

    def selected(self, *names: str) -> bool:
        """Whether code for these frameworks is to run."""
        return bool({"pytorch", "all"} & {name for text in names for name in text.split(", ")})


def stand_in() -> None:
    """Let ``IPython`` and ``matplotlib_inline`` mean this module in this process."""
    kinds = {"HTML": "text/html", "Markdown": "text/markdown", "SVG": "image/svg+xml",
             "Latex": "text/latex", "Math": "text/latex"}  # fmt: skip
    shown = {name: type(name, (Rich,), {"mime": mime}) for name, mime in kinds.items()}
    functions = {f.__name__: f for f in (display, clear_output, set_matplotlib_formats)}
    parts: dict[str, dict[str, Any]] = {
        # for matplotlib, tqdm and others who ask, there is no notebook
        "IPython": {"get_ipython": lambda: None, "version_info": (8, 24, 0)},
        "IPython.display": {**functions, **shown},
        "matplotlib_inline": {},
        "matplotlib_inline.backend_inline": {"set_matplotlib_formats": set_matplotlib_formats},
    }
    for name, content in parts.items():
        module = ModuleType(name, "What old code takes from a notebook.")
        package, _, last = name.rpartition(".")
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=not package)
        module.__path__ = []
        vars(module).update(content)
        sys.modules[name] = module
        if package:
            setattr(sys.modules[package], last, module)
