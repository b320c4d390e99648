"""Experiments with derivatives and with recorded graphs (sections 2.4 and 2.5)."""

import math
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.calculus import derivative as d
from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable
from freedive.topics.calculus.figures import piecewise_figure, tangent_figure

Rows = Annotated[int, Bounds(1, 15, whole=True)]
Size = Annotated[int, Bounds(1, 50, whole=True)]
Step = Annotated[float, Bounds(1e-6, 10)]
Point = Annotated[float, Bounds(-10, 10)]
FunctionName = Literal["parabola", "cubic", "sine", "exponential"]
ExpressionName = Literal["dot", "detached", "not-detached", "control-flow", "broadcast"]


def curve(name: FunctionName) -> tuple[str, d.Smooth]:
    """A function by name: its formula, and it with its derivative."""
    square, cube, line = d.power(2), d.power(3), d.power(1)
    return {
        "parabola": ("3x² − 4x", d.added(d.multiple(3.0, square), d.multiple(-4.0, line))),
        "cubic": ("x³ − 3x", d.added(cube, d.multiple(-3.0, line))),
        "sine": ("sin x", d.Smooth(torch.sin, torch.cos)),
        "exponential": ("eˣ", d.exponential()),
    }[name]


@lab("derivative", section="2.4")
def derivative(
    function: FunctionName = "parabola", x: Point = 1.0, h: Step = 0.1, rows: Rows = 10
) -> Report:
    """Difference quotients on their way to the derivative, and the tangent they end in.

    Args:
        function: what is differentiated.
        x: where.
        h: the largest step; each further row's is a tenth of it.
        rows: how many steps.
    """
    formula, smooth = curve(function)
    at, steps = torch.tensor(x, dtype=torch.float64), d.steps(h, rows)
    slope = float(smooth.slope(at))
    one_sided = d.difference_quotient(smooth.f, at, steps)
    central = d.central_quotient(smooth.f, at, steps)
    errors = {"one-sided": (one_sided - slope).abs(), "central": (central - slope).abs()}
    columns = (steps, one_sided, central, *errors.values())
    names = ("h", "(f(x+h) − f(x)) / h", "(f(x+h) − f(x−h)) / 2h", "error", "error, central")
    table = [
        dict(zip(names, row, strict=True))
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
    least = {f"least_error_{name}": float(error.min()) for name, error in errors.items()}
    return Report(
        numbers={"derivative": slope, **d.tangent_line(smooth.f, x)._asdict(), **least},
        tables={f"{formula} at {x:g}": table},
        figures={"tangent": tangent_figure(formula, smooth.f, x, steps, errors)},
        notes=[
            f"the derivative of {formula} at {x:g} is {slope:.6g}",
            "the one-sided quotient's error falls as h, the central one's as h² or faster",
            "below some h the digits that f(x+h) and f(x) share cancel: errors grow again as 1/h",
        ],
    )


def doubled_to_a_thousand(a: Any) -> Any:
    """The book's control flow: doubled until beyond 1000, a hundredfold if negative."""
    b = a * 2
    while abs(b.item()) < 1000:
        b = b * 2
    return b if b.item() > 0 else 100 * b


def evaluate(expression: ExpressionName, F: Any, x: Any, w: Any) -> Any:
    """An expression of two vectors: in the engine, where F is its operations, or in torch."""
    match expression:
        case "dot":
            return 2 * (x @ x)
        case "detached":
            return F.sum((x * x).detach() * x)
        case "not-detached":
            return F.sum((x * x) * x)
        case "control-flow":
            return doubled_to_a_thousand(x[0])
        case "broadcast":
            return F.mean(F.tanh(x[:, None] * w) ** 2)


@lab("autodiff", section="2.5")
def autodiff(expression: ExpressionName = "dot", size: Size = 4, seed: Whole = 0) -> Report:
    """An expression recorded by the engine, run backwards, drawn, and compared with torch.

    Args:
        expression: 2xᵀx; x³ with and without its x² detached; the book's loop and branch; or the
            mean of tanh² over a column times a row.
        size: entries of x and w.
        seed: of these entries.
    """
    chance = generator(seed)
    arrays = {name: torch.randn(size, generator=chance, dtype=torch.float64) for name in "xw"}
    ours = {name: Variable(array, name) for name, array in arrays.items()}
    theirs = {name: array.clone().requires_grad_() for name, array in arrays.items()}
    y = evaluate(expression, ops, **ours).named("y")
    y.backward()
    expected = evaluate(expression, torch, **theirs)
    expected.backward()
    table = [
        {
            "variable": name,
            "value": short(variable.value),
            "gradient": short(variable.gradient),
            "away from torch's": distance(variable.gradient, theirs[name].grad),
        }
        for name, variable in ours.items()
        if variable.gradient is not None  # w stands in one expression only
    ]
    gaps = [abs(y.item() - expected.item()), *(row["away from torch's"] for row in table)]
    recorded = sum(bool(node.inputs) for node in y.ancestors())
    figures = {"graph": y.to_graph().svg()}
    if expression == "control-flow":
        figures["slopes"] = piecewise_figure(slope_of_control_flow, reach=3.8)
    return Report(
        numbers={"y": y.item(), "operations": recorded, "largest_difference": max(gaps)},
        tables={"gradients": table},
        figures=figures,
        notes=[
            "squares are variables, circles operations; backward walks the arrows the other way",
            "only what ran is in the graph: a loop is as long as it was, a branch the one taken",
        ],
    )


def slope_of_control_flow(a: float) -> tuple[float, float]:
    """f(a) and its gradient; a is not 0, where the loop would never end."""
    x = Variable(torch.tensor(a, dtype=torch.float64))
    result = doubled_to_a_thousand(x)
    result.backward()
    assert x.gradient is not None
    return result.item(), x.gradient.item()


def distance(ours: Tensor, theirs: Tensor | None) -> float:
    """The largest gap between a gradient and torch's; infinite where torch has none."""
    return math.inf if theirs is None else float((ours - theirs).abs().max())


def short(array: Tensor, shown: int = 4) -> str:
    """The first entries of an array, for a table."""
    entries = [f"{entry:.4g}" for entry in array.flatten()[:shown].tolist()]
    return ", ".join(entries + ["…"] * (array.numel() > shown))
