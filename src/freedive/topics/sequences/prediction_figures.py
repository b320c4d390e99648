"""What a run of autoregression leaves to look at, and the pictures of its lab (section 9.1.4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.figures import figure_bytes
from freedive.core.files import write_json, write_whole
from freedive.core.module import Module
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences.prediction import Predictor, continued, error_by_step, k_step
from freedive.topics.sequences.series import NoisySine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = 64  # ahead, as far as the book looks
GREY = "#8a8a8a"
SHADES = (INK, SECOND, "#e9a03b", ACCENT, "#7b5ea7", "#5b8c3a")


def write_predictions(model: Module, data: DataModule, folder: Path) -> list[str]:
    """Write ``predictions.json`` and ``.svg``; gives the errors near and far in one line."""
    if not isinstance(data, NoisySine):
        raise UsageError(f"predictions want a series, got {data.label}: train on {NoisySine.name}")
    device = next(model.parameters()).device

    def on_cpu(windows: Tensor) -> Tensor:
        return model(windows.to(device)).cpu()

    steps = min(STEPS, data.num_val)
    errors = error_by_step(*k_step(on_cpu, data.unseen, data.tau, steps)).tolist()
    told = {"data": data.label, "noise": data.noise, "error_by_step": errors}
    write_json(folder / "predictions.json", told)
    ahead = sorted({1, min(4, steps), min(16, steps), steps})
    write_whole(folder / "predictions.svg", figure_bytes(series_figure(on_cpu, data, ahead)))
    line = f"error one step ahead {errors[0]:.3f}"
    return [line + (f", {steps} steps ahead {errors[-1]:.3f}" if steps > 1 else "")]


def series_figure(model: Predictor, data: NoisySine, ahead: Sequence[int]) -> "Figure":
    """The series with predictions one step ahead, on and on from one place, and k steps ahead."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    tau, start = data.tau, data.num_train + data.tau
    show_series(top, data.time, data.x)
    one, _ = k_step(model, data.x, tau, 1)
    on = continued(model, data.x[start - tau : start][None], data.num_val)[0]
    top.plot(data.time[tau:], one[:, 0], color=INK, lw=1.2, label="one step ahead")
    top.plot(data.time[start:], on, color=ACCENT, lw=2, label="from its own predictions alone")
    top.axvline(float(data.time[start - 1]), color=GREY, lw=1, ls=":")
    top.annotate("training ends", (float(data.time[start - 1]), 0.02), (4, 0), color=GREY,
                 xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    time = data.time[data.num_train :]
    show_series(bottom, time, data.unseen)
    predicted, _ = k_step(model, data.unseen, tau, max(ahead))
    for i, k in enumerate(ahead):
        seen = slice(tau + k - 1, tau + k - 1 + len(predicted))
        label = f"{k} step{'s' * (k > 1)} ahead"
        bottom.plot(time[seen], predicted[:, k - 1], color=SHADES[i], lw=1.5, label=label)
    bottom.set(xlabel="time")
    for axes in (top, bottom):
        axes.legend(loc="upper right", ncols=4, fontsize=9)
    return figure


def show_series(axes: "Axes", time: Float[Tensor, " steps"], x: Float[Tensor, " steps"]) -> None:
    """What was measured, as faint dots, with room for a legend above."""
    axes.plot(time, x, ".", color=GREY, ms=3, alpha=0.5)
    axes.set(ylabel="x", ylim=(float(x.min()) - 0.2, float(x.max()) + 0.8))
    axes.grid(alpha=0.3)
    axes.margins(x=0.01)


def error_figure(
    curves: Mapping[str, Float[Tensor, " k"]], noise: float, spread: float
) -> "Figure":
    """Errors by the steps ahead, between the noise and what the mean of the series would err."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    for i, (label, errors) in enumerate(curves.items()):
        marker = "o" if len(errors) == 1 else None
        axes.plot(range(1, len(errors) + 1), errors, color=SHADES[i], marker=marker, label=label)
    for level, name in ((noise, "the noise"), (spread, "always the mean")):
        axes.axhline(level, color=GREY, lw=1, ls="--")
        axes.annotate(name, (0, level), (4, -11), xycoords=("axes fraction", "data"), color=GREY,
                      textcoords="offset points")  # fmt: skip
    axes.set(xlabel="steps ahead", ylabel="root mean squared error", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    return figure
