"""Comparing distributions of networks, not single ones (section 8.8.2)."""

from typing import TYPE_CHECKING, Annotated, Literal

import torch

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Count, Positive, Whole
from freedive.core.report import Report
from freedive.data.fashion_mnist import Garments
from freedive.topics.modern_cnn.design_space import Sample, chance_of_gap, population

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Space = Literal["any", "rising", "falling"]
NOTES = [
    "A curve that lies further left belongs to the better space: more of its networks stay below "
    "an error.",
    "All networks cost about the same; what differs is where they spend it.",
]


@lab("cnn-design", section="8.8.2")
def cnn_design(
    first: Space = "rising",
    second: Space = "falling",
    num_networks: Annotated[int, Bounds(2, 500, whole=True)] = 8,
    num_stages: Annotated[int, Bounds(1, 4, whole=True)] = 3,
    budget: Positive = 0.6,
    num_train: Count = 1500,
    max_epochs: Count = 2,
    lr: Positive = 0.1,
    seed: Whole = 0,
) -> Report:
    """Which of two spaces of networks is better: errors of many networks, each trained shortly.

    Args:
        first: any depths and widths, or those that only rise or only fall from stage to stage.
        second: the space to compare it with.
        num_networks: networks drawn from each space.
        num_stages: stages of a network; each halves the size.
        budget: million multiply-adds for one image that a network may cost; it uses at least half.
        num_train: drawn garments to learn from, 14×14 pixels.
        max_epochs: passes over them.
        lr: peak of the learning rate.
        seed: of the drawing, the networks and their training.
    """
    if first == second:
        raise UsageError(f"first and second want to be two spaces, got {first!r} twice")
    data = Garments(batch_size=100, resize=14, data_seed=seed, num_train=num_train, num_val=500)
    settings = (num_networks, num_stages, budget * 1e6, data, max_epochs, lr, seed)
    spaces: tuple[str, str] = (first, second)
    found = {space: population(space, *settings) for space in spaces}
    errors = {space: torch.tensor([s.error for s in found[space]]) for space in found}
    return Report(
        numbers={
            **{f"mean error of {space}": float(e.mean()) for space, e in errors.items()},
            **{f"best error of {space}": float(e.min()) for space, e in errors.items()},
            "chance of such a gap between equal spaces": chance_of_gap(
                errors[first], errors[second], seed
            ),
        },
        tables={
            f"best networks of {space}": [row(s) for s in sorted(found[space], key=rank)[:5]]
            for space in found
        },
        figures={"distributions": distribution_figure(found, f"{data.label}, {max_epochs} epochs")},
        notes=list(NOTES),
    )


def rank(sample: Sample) -> float:
    """The best network comes first."""
    return sample.error


def row(sample: Sample) -> dict[str, object]:
    """A network in a table."""
    return {
        "depths": "-".join(map(str, sample.depths)),
        "channels": "-".join(map(str, sample.channels)),
        "MACs": sample.macs,
        "error": sample.error,
    }


def distribution_figure(found: dict[str, list[Sample]], title: str) -> "Figure":
    """The share of networks with at most an error, F(e) = (1/n) Σ 1(eᵢ ≤ e), for each space."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for space, samples in found.items():
        errors = sorted(s.error for s in samples)
        left.ecdf(errors, label=f"{space}, mean {sum(errors) / len(errors):.3f}")
        right.scatter([s.macs / 1e6 for s in samples], [s.error for s in samples], s=18)
    left.set(xlabel="error", ylabel="share of networks below", title=title)
    left.legend()
    right.set(xlabel="million multiply-adds", ylabel="error", title="each network")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    return figure
