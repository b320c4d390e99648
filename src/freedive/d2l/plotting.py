"""Plots: shown in a notebook, kept in a script, and no error where there is no display (R05)."""

import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from freedive.core.board import Throttle, in_notebook
from freedive.d2l.lookup import without_display

FMTS = ("-", "m--", "g-.", "r:")
LIVE: "weakref.WeakSet[Any]" = weakref.WeakSet()  # what a runner of notebooks may look at


def pyplot() -> Any:
    """matplotlib.pyplot, imported at the first plot."""
    without_display()
    import matplotlib.pyplot as plt

    return plt


def use_svg_display() -> None:
    """Sharp pictures in a notebook; elsewhere nothing."""
    if in_notebook():
        from matplotlib_inline import backend_inline  # comes with every notebook

        backend_inline.set_matplotlib_formats("svg")


def set_figsize(figsize: tuple[float, float] = (3.5, 2.5)) -> None:
    """The size of the figures that follow, in inches."""
    use_svg_display()
    pyplot().rcParams["figure.figsize"] = figsize


def set_axes(
    axes: Any,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Any,
    ylim: Any,
    xscale: str,
    yscale: str,
    legend: Sequence[str] | None,
) -> None:
    """Labels, limits, scales, legend and a grid."""
    axes.set_xlabel(xlabel or "")
    axes.set_ylabel(ylabel or "")
    axes.set_xscale(xscale)
    axes.set_yscale(yscale)
    axes.set_xlim(xlim)
    axes.set_ylim(ylim)
    if legend:
        axes.legend(legend)
    axes.grid()


def plot(
    X: Any,
    Y: Any = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] | None = None,
    xlim: Any = None,
    ylim: Any = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = FMTS,
    figsize: tuple[float, float] = (3.5, 2.5),
    axes: Any = None,
) -> None:
    """Lines: X against each of Y, or each of X against its index; any number of them (R07)."""
    set_figsize(figsize)
    axes = axes or pyplot().gca()
    xs, ys = ([[]], [X]) if Y is None else ([X], [Y])
    xs, ys = (_series(part[0]) for part in (xs, ys))
    if Y is None:
        xs = [[] for _ in ys]
    elif len(xs) != len(ys):
        xs = xs * len(ys)
    axes.cla()
    for i, (x, y) in enumerate(zip(xs, ys, strict=False)):
        points = (_plain(x), _plain(y)) if len(x) else (_plain(y),)
        axes.plot(*points, fmts[i % len(fmts)])
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def _series(Z: Any) -> list[Any]:
    """A list of lines: one line is told from several by its entries."""
    one = (hasattr(Z, "ndim") and Z.ndim == 1) or (
        isinstance(Z, (list, tuple, range)) and (not len(Z) or not hasattr(Z[0], "__len__"))
    )
    return [Z] if one else list(Z)


def _plain(values: Any) -> Any:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def show_images(
    imgs: Any, num_rows: int, num_cols: int, titles: Any = None, scale: float = 1.5
) -> Any:
    """Pictures in a grid; gives the axes."""
    figsize = (num_cols * scale, num_rows * scale)
    _, grid = pyplot().subplots(num_rows, num_cols, figsize=figsize)
    axes = list(grid.flatten()) if hasattr(grid, "flatten") else [grid]
    for i, (ax, img) in enumerate(zip(axes, imgs, strict=False)):
        ax.imshow(_plain(img))
        ax.set_axis_off()
        if titles is not None:
            ax.set_title(titles[i])
    return axes


def show_heatmaps(
    matrices: Tensor,
    xlabel: str,
    ylabel: str,
    titles: Sequence[str] | None = None,
    figsize: tuple[float, float] = (2.5, 2.5),
    cmap: str = "Reds",
) -> None:
    """Matrices of shape (rows, columns, height, width), one colour scale (section 11.1)."""
    use_svg_display()
    num_rows, num_cols = matrices.shape[:2]
    sharing = {"sharex": True, "sharey": True, "squeeze": False}
    fig, axes = pyplot().subplots(num_rows, num_cols, figsize=figsize, **sharing)
    for i in range(num_rows):
        for j in range(num_cols):
            image = axes[i, j].imshow(_plain(matrices[i, j]), cmap=cmap)
            if i == num_rows - 1:
                axes[i, j].set_xlabel(xlabel)
            if j == 0:
                axes[i, j].set_ylabel(ylabel)
            if titles:
                axes[i, j].set_title(titles[j])
    fig.colorbar(image, ax=axes, shrink=0.6)


def annotate(text: str, xy: Any, xytext: Any) -> None:
    """An arrow with a text in the current plot."""
    pyplot().gca().annotate(text, xy=xy, xytext=xytext, arrowprops={"arrowstyle": "->"})


def show_list_len_pair_hist(
    legend: Sequence[str], xlabel: str, ylabel: str, xlist: Any, ylist: Any
) -> None:
    """Histograms of the lengths of two lists' entries (section 10.5.2)."""
    set_figsize()
    lengths = [[len(entry) for entry in entries] for entries in (xlist, ylist)]
    _, _, (_, second) = pyplot().hist(lengths)
    pyplot().xlabel(xlabel)
    pyplot().ylabel(ylabel)
    for patch in second.patches:
        patch.set_hatch("/")
    pyplot().legend(legend)


class Animator:
    """Curves that grow while something is trained (section 3.6.5 of the second edition).

    A point costs the same however many there are, and the picture is drawn seldom (R06): in a
    notebook at most ten times a second, elsewhere when somebody looks at ``fig``.
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: Sequence[str] | None = None,
        xlim: Any = None,
        ylim: Any = None,
        xscale: str = "linear",
        yscale: str = "linear",
        fmts: Sequence[str] = FMTS,
        nrows: int = 1,
        ncols: int = 1,
        figsize: tuple[float, float] = (3.5, 2.5),
    ):
        self.fmts = fmts
        self.settings = (xlabel, ylabel, xlim, ylim, xscale, yscale, legend or [])
        self.shape, self.figsize = (nrows, ncols), figsize
        self.X: list[list[float]] | None = None
        self.Y: list[list[float]] | None = None
        self._fig: Any = None
        self._axes: Any = None
        self._shown: Any = None
        self._throttle = Throttle()
        LIVE.add(self)

    def add(self, x: Any, y: Any) -> None:
        """Add a point to each curve; one that is None is left out."""
        ys = list(y) if hasattr(y, "__len__") else [y]
        xs = list(x) if hasattr(x, "__len__") else [x] * len(ys)
        if self.X is None or self.Y is None:
            self.X, self.Y = [[] for _ in ys], [[] for _ in ys]
        for i, (a, b) in enumerate(zip(xs, ys, strict=True)):
            if a is not None and b is not None:
                self.X[i].append(float(a))
                self.Y[i].append(float(b))
        if in_notebook() and self._throttle.ready():
            with self._throttle.measured():
                self.show()

    def config_axes(self) -> None:
        """Labels, limits, scales and legend of the first plot."""
        set_axes(self.axes[0], *self.settings)

    @property
    def axes(self) -> list[Any]:
        """The axes, as they stand."""
        self._make()
        return self._axes

    @property
    def fig(self) -> Any:
        """The figure, with all points drawn."""
        self._make()
        ax = self._axes[0]
        ax.cla()
        for i, (x, y) in enumerate(zip(self.X or [], self.Y or [], strict=True)):
            ax.plot(x, y, self.fmts[i % len(self.fmts)])
        self.config_axes()
        return self._fig

    def show(self) -> None:
        """Draw the figure where the last one stood."""
        from IPython.display import display

        if self._shown is None:
            self._shown = display(self.fig, display_id=True)
        else:
            self._shown.update(self.fig)

    def _make(self) -> None:
        if self._fig is None:
            from matplotlib.figure import Figure

            self._fig = Figure(figsize=self.figsize)
            self._axes = list(self._fig.subplots(*self.shape, squeeze=False).flat)

    def __del__(self) -> None:
        """What came after the last drawing is shown before the curves are gone."""
        if self._shown is not None:
            self.show()
