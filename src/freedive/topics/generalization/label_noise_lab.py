"""Label noise: what is learnt first, what is learnt by heart, and when to stop (section 5.5.3)."""

from typing import TYPE_CHECKING, Annotated, Any

import torch

from freedive.catalog import lab
from freedive.core.figures import ACCENT, INK, SECOND
from freedive.core.hyperparameters import Bounds, NonNegative, Positive, Whole
from freedive.core.report import Report
from freedive.topics.generalization.label_noise import Course, draw_task, learn, stopping_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#8a8a8a"


@lab("label-noise", section="5.5.3")
def label_noise(
    flip: Annotated[float, Bounds(0, 0.5)] = 0.3,
    num_train: Annotated[int, Bounds(20, 2000, whole=True)] = 300,
    width: Annotated[int, Bounds(1, 2048, whole=True)] = 256,
    max_epochs: Annotated[int, Bounds(2, 200, whole=True)] = 40,
    lr: Positive = 0.003,
    weight_decay: NonNegative = 0.0,
    patience: Annotated[int, Bounds(1, 100, whole=True)] = 5,
    seed: Whole = 0,
) -> Report:
    """A net on labels of which some are wrong: the right ones are learnt first, then all by heart.

    Args:
        flip: probability that a label is the wrong one; at ½ the labels are random.
        num_train: examples to learn from, and as many to validate with.
        width: hidden units.
        max_epochs: passes over the examples.
        lr: the learning rate of Adam.
        weight_decay: λ of an ℓ₂ penalty on all weights.
        patience: epochs without a lower validation error after which early stopping ends.
        seed: of the data, the weights and the order.
    """
    shares = dict.fromkeys((flip, 0.0))
    courses = {
        share: learn(
            draw_task(1, num_train, share, seed), width, max_epochs, lr, weight_decay, seed=seed
        )
        for share in shares
    }
    ends = {share: summary(course, patience) for share, course in courses.items()}
    here = ends[flip]
    return Report(
        numbers={
            "kept epoch": here["kept epoch"],
            "test accuracy there": here["test there"],
            "test accuracy at the end": here["test at the end"],
            "wrong labels known by heart at the end": number(courses[flip].flipped[-1, 0]),
            "least error on labels as noisy": flip,
        },
        tables={
            "early stopping": [{"wrong labels": share, **end} for share, end in ends.items()],
            "by epoch": epoch_rows(courses[flip]),
        },
        figures={"courses": courses_figure(courses, ends)},
        notes=[
            "Right labels agree with each other and are learnt first; wrong ones only one by one.",
            "Early stopping, by noisy validation data, keeps weights from before they are learnt.",
            "Without wrong labels there is little to gain from it.",
            "A usual weight decay (0.0001 to 0.01) does not keep a wide net from fitting them all.",
        ],
    )


def summary(course: Course, patience: int) -> dict[str, Any]:
    """How early stopping would have ended a training, and what it would have gained."""
    stopped, kept = stopping_epoch(1 - course.val[:, 0], patience)
    return {
        "stops after epoch": stopped + 1,
        "kept epoch": kept + 1,
        "test there": float(course.test[kept, 0]),
        "test at the end": float(course.test[-1, 0]),
        "right labels known": number(course.clean[-1, 0]),
        "wrong labels known": number(course.flipped[-1, 0]),
    }


def epoch_rows(course: Course) -> list[dict[str, Any]]:
    """Some epochs of a course; a group without examples is left empty."""
    last = len(course.test)
    shown = sorted({e for e in (1, 2, 3, 5, 10, 15, 20, 30, 50, 100) if e < last} | {last})
    return [
        {
            "epoch": e,
            "right labels": number(course.clean[e - 1, 0]),
            "wrong labels": number(course.flipped[e - 1, 0]),
            "validation": number(course.val[e - 1, 0]),
            "test": number(course.test[e - 1, 0]),
        }
        for e in shown
    ]


def number(value: torch.Tensor) -> float | None:
    """A number for a table; None for what does not exist."""
    return None if value.isnan() else float(value)


def courses_figure(courses: dict[float, Course], ends: dict[float, dict[str, Any]]) -> "Figure":
    """Accuracy by epoch, with wrong labels and without; where early stopping keeps the weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(courses) + 2.6, 4), layout="constrained")
    panels = figure.subplots(1, len(courses), sharey=True, squeeze=False)[0]
    for axes, (share, course) in zip(panels, courses.items(), strict=True):
        draw_course(axes, course, ends[share]["kept epoch"])
        axes.set(title=f"{share:.0%} wrong labels", xlabel="epoch", ylim=(-0.03, 1.03))
    panels[0].set_ylabel("accuracy")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=9, loc="outside right upper")
    return figure


def draw_course(axes: "Axes", course: Course, kept: int) -> None:
    """The lines of one panel."""
    epochs = range(1, len(course.test) + 1)
    axes.plot(epochs, course.clean, color=INK, lw=1.6, label="training, right labels")
    axes.plot(epochs, course.flipped, color=INK, ls="--", lw=1.6, label="training, wrong labels")
    axes.plot(epochs, course.val, color=SECOND, lw=1.2, label="validation, noisy labels")
    axes.plot(epochs, course.test, color=ACCENT, lw=2, label="test, true labels")
    axes.axvline(kept, color=GREY, ls=":", label="kept by early stopping")
    axes.plot(kept, course.test[kept - 1], "o", color=ACCENT, ms=6)
    axes.grid(alpha=0.3)
