"""Curves: one record of series, drawn seldom (section 3.2.2)."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from freedive.core.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGNS = "●○+×*#@%"
Points = list[tuple[float, float]]


class Throttle:
    """Lets something costly happen seldom: at most so often, and for a small share of the time."""

    def __init__(self, per_second: float = 10.0, share: float = 0.01):
        self.interval, self.share = 1 / per_second, share
        self.next_time = 0.0

    def ready(self) -> bool:
        """Whether the time for the next one has come."""
        return time.perf_counter() >= self.next_time

    @contextmanager
    def measured(self) -> Iterator[None]:
        """What happens inside decides, by its cost, when the next one may happen."""
        start = time.perf_counter()
        try:
            yield
        finally:
            now = time.perf_counter()
            self.next_time = now + max(self.interval, (now - start) / self.share)


class ProgressBoard:
    """Any number of named series; adding a point costs the same however many there are.

    In a notebook `draw` shows the curves while they grow. Elsewhere nothing is shown until
    `text` or `save` asks for it.
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        xlim: tuple[float, float] | None = None,
        ylim: tuple[float, float] | None = None,
        xscale: str = "linear",
        yscale: str = "linear",
        display: bool = True,
        title: str = "",
    ):
        self.xlabel, self.ylabel, self.xlim, self.ylim = xlabel, ylabel, xlim, ylim
        self.xscale, self.yscale, self.display, self.title = xscale, yscale, display, title
        self.series: dict[str, Points] = {}
        self._pending: dict[str, Points] = {}
        self._throttle = Throttle()
        self._shown: Any = None

    def draw(self, x: float, y: float | Tensor, label: str, every_n: int = 1) -> None:
        """Add a point; each ``every_n`` points of a series are averaged to one."""
        pending = self._pending.setdefault(label, [])
        pending.append((float(x), float(y)))
        if len(pending) < every_n:
            return
        xs, ys = zip(*pending, strict=True)
        self.series.setdefault(label, []).append((sum(xs) / len(xs), sum(ys) / len(ys)))
        pending.clear()
        if self.display and in_notebook() and self._throttle.ready():
            with self._throttle.measured():
                self.show()

    def clear(self) -> None:
        """Begin anew: the next run's curves are not drawn over the last one's."""
        self.series, self._pending, self._shown = {}, {}, None

    def figure(self) -> "Figure":
        """The curves as a Matplotlib figure."""
        from freedive.core.figures import curves_figure

        return curves_figure(
            self.series,
            *(self.xlabel, self.ylabel),
            *(self.xlim, self.ylim),
            *(self.xscale, self.yscale),
            title=self.title,
        )

    def save(self, path: str | Path) -> None:
        """Write the curves to a file; its ending (.svg, .png, .pdf) says in which format."""
        from freedive.core.figures import figure_bytes

        write_whole(Path(path), figure_bytes(self.figure(), Path(path).suffix.lstrip(".") or "svg"))

    def text(self, width: int = 80, height: int = 15, color: bool = False) -> str:
        """The curves as characters for a terminal, each series with a sign of its own."""
        import plotext

        figure = plotext.figure
        figure.clear()
        figure.theme("simple" if color else "colorless").plot_size(width, height)
        figure.label(self.xlabel or "")
        for (label, points), sign in zip(self.series.items(), cycle(SIGNS), strict=False):
            drawn = [(x, y) for x, y in points if math.isfinite(y)]
            if drawn:
                signal = figure.signal(*map(list, zip(*drawn, strict=True)), marker=sign)
                figure.draw(signal.lines().label(label))
        return str(figure.build().string(colorless=not color))

    def show(self) -> None:
        """Show the curves in the notebook cell, in place of the last showing."""
        from IPython.display import display

        if self._shown is None:
            self._shown = display(self.figure(), display_id=True)
        else:
            self._shown.update(self.figure())


def in_notebook() -> bool:
    """Whether this runs in a Jupyter cell, where pictures can be shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
