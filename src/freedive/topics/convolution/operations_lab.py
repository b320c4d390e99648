"""An experiment that shows the steps of convolution and pooling (sections 7.2 to 7.5)."""

from typing import Annotated

from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds
from freedive.core.report import Report
from freedive.topics.convolution.operations import Example, OperationName
from freedive.topics.convolution.operations_figures import steps_figure

LISTED = 24  # steps in the table
Side = Annotated[int, Bounds(1, 6, whole=True)]
Padding = Annotated[int, Bounds(0, 2, whole=True)]


@lab("convolution-operations", section="7.2")
def convolution_operations(
    operation: OperationName = "cross-correlation",
    size: Side = 3,
    kernel: Side = 2,
    stride: Side = 1,
    padding: Padding = 0,
    dilation: Side = 1,
) -> Report:
    """Every sum of a convolution or a pooling written out and drawn, on small whole numbers.

    Args:
        operation: cross-correlation; convolution (the kernel flipped); channels (two in, one out);
            output-channels (two in, three out); groups (each of two channels alone); 1x1 (three
            channels to two); max-pooling or avg-pooling.
        size: height and width of the image.
        kernel: height and width of the window; a 1x1 has its own.
        stride: step between windows.
        padding: rows and columns on each side.
        dilation: distance of the pixels in a window.
    """
    example = Example(operation, size, kernel, stride, padding, dilation)
    Y, steps = example.output(), list(example.steps())
    names = ("channel", "row", "column")
    rows = [
        {**dict(zip(names, step.place, strict=True)), "the sum": example.sum_of(step)}
        for step in steps[:LISTED]
    ]
    notes = [f"An image of {shape(example.image)} gives {shape(Y)} numbers."]
    if len(steps) > LISTED:
        notes.append(f"Listed are the first {LISTED} of {len(steps)}.")
    if operation == "convolution":
        notes.append("The kernel 0, 1, 2, … is shown flipped in both axes, as it is laid on.")
    return Report(
        numbers={
            "output": Y.tolist(),
            "difference from torch's": float((Y - by_torch(example)).abs().max()),
        },
        tables={operation: rows},
        figures={"steps": steps_figure(example)},
        notes=notes,
    )


def by_torch(example: Example) -> Tensor:
    """The same output from torch's own operations."""
    X, stride, padding = example.image, example.stride, example.padding
    if example.operation == "max-pooling":
        return F.max_pool2d(X, example.kernel, stride, padding)
    if example.operation == "avg-pooling":
        return F.avg_pool2d(X, example.kernel, stride, padding)
    settings = (None, stride, padding, example.dilation, example.groups)
    return F.conv2d(X[None], example.weight, *settings)[0]


def shape(X: Tensor) -> str:
    """Channels, height and width in a sentence."""
    return " × ".join(map(str, X.shape))
