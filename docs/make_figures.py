"""Draws the computational graphs of the documentation: `python docs/make_figures.py`."""

from pathlib import Path

import torch
from torch import Tensor, nn

from freedive.insight.graph import Graph, Node
from freedive.insight.trace import graph

FOLDER = Path(__file__).parent / "figures"


def backprop() -> Graph:
    """The perceptron with one hidden layer and weight decay (section 5.3)."""
    variables = {"x": (4,), "W₁": (3, 4), "z": (3,), "h": (3,), "W₂": (2, 3), "o": (2,), "y": (2,)}
    variables |= {"L": (), "s": (), "J": ()}
    nodes = [
        Node(name, name, "variable", shape, shaded=name.startswith("W"))
        for name, shape in variables.items()
    ]
    calls = {
        "matmul 1": ("×", ("W₁", "x"), "z"),
        "activation": ("ϕ", ("z",), "h"),
        "matmul 2": ("×", ("W₂", "h"), "o"),
        "loss": ("ℓ", ("o", "y"), "L"),
        "norm": ("ℓ₂", ("W₁", "W₂"), "s"),
        "objective": ("+", ("L", "s"), "J"),
    }
    edges = []
    for name, (label, inputs, output) in calls.items():
        nodes.append(Node(name, label, "operation"))
        edges += [*((source, name) for source in inputs), (name, output)]
    return Graph(nodes, edges, "a perceptron with one hidden layer and weight decay")


class Inception(nn.Module):
    """Four ways through the same image, side by side (section 8.4)."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = nn.Conv2d(192, 64, 1)
        self.b2 = nn.Sequential(nn.Conv2d(192, 96, 1), nn.Conv2d(96, 128, 3, padding=1))
        self.b3 = nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding=2))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(192, 32, 1))

    def forward(self, x: Tensor) -> Tensor:
        """The channels of all four ways."""
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], dim=1)


def rnn(x1: Tensor, x2: Tensor, x3: Tensor, h0: Tensor, W_xh: Tensor, W_hh: Tensor,
        W_hq: Tensor) -> dict[str, Tensor]:  # fmt: skip
    """Three steps of a recurrent network (section 9.7): every step has the same weights."""
    named, h = {}, h0
    for t, x in enumerate((x1, x2, x3), start=1):
        h = torch.tanh(x @ W_xh + h @ W_hh)
        named |= {f"h{t}": h, f"o{t}": h @ W_hq}
    return named


def main() -> None:
    """Write the figures beside this script."""
    FOLDER.mkdir(exist_ok=True)
    weights = {"W_xh": (4, 5), "W_hh": (5, 5), "W_hq": (5, 2)}
    shapes = {"x1": (1, 4), "x2": (1, 4), "x3": (1, 4), "h0": (1, 5)}
    inputs = {name: torch.zeros(shape) for name, shape in shapes.items()}
    inputs |= {name: nn.Parameter(torch.zeros(shape)) for name, shape in weights.items()}
    figures = {
        "backprop": backprop().svg(),
        "inception": graph(Inception(), (1, 192, 28, 28)).svg("up"),
        "rnn": graph(rnn, inputs).svg(),
    }
    for name, svg in figures.items():
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
