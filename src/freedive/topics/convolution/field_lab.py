"""An experiment on what a feature map sees of the image (section 7.2.6)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.report import Report
from freedive.data.garments import CLASSES, draw_garments
from freedive.topics.convolution.receptive_field import (
    Field,
    Layer,
    measured,
    paths,
    read_layers,
    receptive_fields,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Side = Annotated[int, Bounds(8, 256, whole=True)]


@lab("receptive-field", section="7.2.6")
def receptive_field(
    layers: str = "5/1 2/2 5/1 2/2", image_size: Side = 28, seed: Whole = 0
) -> Report:
    """What one number behind each layer sees of the image, by the recursion and by gradients.

    Args:
        layers: kernel/stride or kernel/stride/dilation of each layer, such as LeNet's.
        image_size: height and width of the image.
        seed: of the picture.
    """
    stack = read_layers(layers)
    fields = receptive_fields(stack)[1:]
    ways = [paths(stack[: i + 1]) for i in range(len(stack))]
    found = [measured(way) for way in ways]
    rows = [
        {
            "layer": number,
            "kernel/stride": str(layer),
            "field": field.size,
            "step": field.jump,
            "by gradients": extent,
            "pixels reached": reached,
            "larger than the image": "yes" if field.size > image_size else "no",
        }
        for number, (layer, field, (extent, reached)) in enumerate(
            zip(stack, fields, found, strict=True), start=1
        )
    ]
    gaps = [abs(field.size - extent) for field, (extent, _) in zip(fields, found, strict=True)]
    return Report(
        numbers={
            "receptive field": fields[-1].size,
            "step": fields[-1].jump,
            "largest difference from gradients": max(gaps),
        },
        tables={"fields": rows},
        figures={"fields": fields_figure(stack, fields, ways, image_size, seed)},
        notes=notes(fields[-1], found[-1][1], image_size),
    )


def notes(last: Field, reached: int, image_size: int) -> list[str]:
    """What the numbers mean."""
    told = ["A layer adds d(k − 1) steps of the layers before it; its stride s makes s of a step."]
    if last.size > image_size:
        told.append(
            f"The last field is larger than the image: of its {last.size} pixels a side "
            f"{image_size} at most lie in the image, the others in the padding."
        )
    if reached < last.size:
        told.append(f"Of {last.size} pixels a side the last layer misses {last.size - reached}.")
    return told


def fields_figure(
    layers: Sequence[Layer], fields: Sequence[Field], ways: Sequence[Tensor], side: int, seed: int
) -> "Figure":
    """The fields as squares on a picture; beside it on how many ways each pixel reaches the top."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    colours = colormaps["plasma"](torch.linspace(0, 0.85, len(layers)).tolist())
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    coat = draw_garments(torch.tensor([CLASSES.index("coat")]), side, seed)[0, 0]
    draw_fields(left, coat, fields, colours)
    for number, (layer, way, colour) in enumerate(zip(layers, ways, colours, strict=True), 1):
        places, label = torch.arange(len(way)) - (len(way) - 1) / 2, f"{number}: {layer}"
        share = way / way.max()
        right.plot(
            places.tolist(), share.tolist(), color=colour, drawstyle="steps-mid", label=label
        )
    right.set(xlabel="pixels from the middle", ylabel="paths, relative to the most", ylim=(0, 1.08))
    right.set_title("how many paths lead from a pixel to the layer's middle", fontsize=10)
    right.grid(alpha=0.3)
    if len(layers) <= 12:
        right.legend(title="kernel/stride", fontsize=8)
    return figure


def draw_fields(
    axes: "Axes", picture: Tensor, fields: Sequence[Field], colours: Sequence[Any]
) -> None:
    """Squares around the middle of a picture, beyond its edges where they are larger."""
    from matplotlib.patches import Rectangle

    side = len(picture)
    axes.set_facecolor("#e6e6e6")
    axes.imshow(picture.numpy(), cmap="gray", extent=(-side / 2, side / 2, side / 2, -side / 2))
    for field, colour in zip(fields, colours, strict=True):
        half = field.size / 2
        square = Rectangle((-half, -half), field.size, field.size, fill=False, ec=colour, lw=2)
        axes.add_patch(square)
    reach = 0.54 * max(side, fields[-1].size)
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    sizes = [str(field.size) for field in fields]
    shown = sizes if len(sizes) < 10 else [*sizes[:4], "…", *sizes[-3:]]
    axes.set_title(f"the layers see {', '.join(shown)} pixels a side", fontsize=10)
