"""A computational graph as an object: text, Mermaid and SVG (section 5.3.2).

The book's convention: squares are variables, shaded where they are learnt, circles are operations,
and arrows lead from the inputs, lower left, to the result, upper right.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import torch
from torch import Tensor, nn

from freedive.insight.features import InsightError, shape_text
from freedive.insight.graph_layout import LARGE, LINE, SMALL, Box, Path, box_size, layout

DARK, GREY, SHADE = "#222222", "#666666", "#e4e4e4"
FONTS = "Helvetica, Arial, DejaVu Sans, sans-serif"
SHORT, LONGEST = 8, 40  # characters in a circle, and in any line: a node's title has them all
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
CODES = {"#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;", "`": "#96;"}
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
HEAD = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    f'orient="auto"><path d="M0,1 L8,4 L0,7 z" fill="{DARK}" stroke="none"/></marker></defs>'
)


@dataclass(frozen=True)
class Node:
    """A variable or an operation.

    Attributes:
        id: what edges call it.
        label: what people call it; further lines tell more.
        kind: ``"variable"`` or ``"operation"``.
        shape: of the tensor that it is or gives; None where it is unknown.
        value: the numbers, where they are to be shown.
        gradient: of the result with respect to them.
        shaded: whether it is learnt.
    """

    id: str
    label: str
    kind: str
    shape: tuple[int, ...] | None = None
    value: Any = field(default=None, compare=False)
    gradient: Any = field(default=None, compare=False)
    shaded: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("variable", "operation"):
            raise InsightError(f"a node is a 'variable' or an 'operation', got kind={self.kind!r}")


@dataclass(frozen=True)
class Graph:
    """Nodes, and edges from the id of an input to the id of what uses it.

    Raises:
        InsightError: two nodes with one id, an edge to nowhere, or edges in a circle.
    """

    nodes: Sequence[Node]
    edges: Sequence[tuple[str, str]]
    title: str = "computational graph"

    def __post_init__(self) -> None:
        ids = Counter(node.id for node in self.nodes)
        twice = [name for name, count in ids.items() if count > 1]
        if twice:
            raise InsightError(f"two nodes have the id {twice[0]!r}: give each its own")
        lost = [end for edge in self.edges for end in edge if end not in ids]
        if lost:
            raise InsightError(f"no node has the id {lost[0]!r} that an edge wants: add the node")
        self._ordered()

    def __str__(self) -> str:
        return self.text()

    def _repr_svg_(self) -> str:
        return self.svg()

    def text(self) -> str:
        """A line a node, inputs first: ``[variable]`` or ``(operation)``, shape, inputs."""
        ordered, comes = self._ordered(), self._neighbours(0)
        labels = {node.id: " ".join(node.label.split()) for node in ordered}
        total, count = Counter(labels.values()), Counter[str]()
        for name, label in labels.items():
            count[label] += 1
            labels[name] = f"{label}·{count[label]}" if total[label] > 1 else label
        rows = []
        for node in ordered:
            open_, close = "[]" if node.kind == "variable" else "()"
            inputs = ", ".join(labels[other.id] for other in comes[node.id])
            told = (*shapes(node), *([f"← {inputs}"] if inputs else []), *contents(node))
            rows.append((f"{open_}{labels[node.id]}{close}", "  ".join(told)))
        width = max((len(name) for name, _ in rows), default=0)
        lines = (f"{name:<{width}}  {told}".rstrip() for name, told in rows)
        return "\n".join(lines) or "(empty graph)"

    def mermaid(self, direction: str = "right") -> str:
        """The graph in the language of Mermaid, as GitHub and many notebooks draw it."""
        short = {node.id: f"n{i}" for i, node in enumerate(self.nodes)}  # ids may be its keywords
        lines = [f"flowchart {'LR' if checked(direction) == 'right' else 'BT'}"]
        for node, caption in self._captions():
            label = "<br/>".join(escaped(line, CODES) for line in caption) or " "
            round_ = ["((", "))"] if max(map(len, caption), default=0) <= SHORT else ["([", "])"]
            open_, close = ["[", "]"] if node.kind == "variable" else round_
            lines.append(f'    {short[node.id]}{open_}"{label}"{close}')
        lines += [f"    {short[a]} --> {short[b]}" for a, b in dict.fromkeys(self.edges)]
        return "\n".join([*lines, ""])

    def svg(self, direction: str = "right") -> str:
        """A drawing from the left to the ``"right"``, or ``"up"`` from the bottom."""
        captions = {node.id: caption for node, caption in self._captions()}
        sizes = {
            node.id: box_size(captions[node.id], node.kind == "operation")
            for node in self._ordered()
        }
        placed = layout(sizes, list(dict.fromkeys(self.edges)), up=checked(direction) == "up")
        width, height = f"{placed.width:g}", f"{placed.height:g}"
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}">',
            f"<title>{escaped(self.title)}</title>",
            HEAD,
            '<rect width="100%" height="100%" fill="white"/>',
            f'<g fill="none" stroke="{DARK}" stroke-width="1.2">',
            *map(arrow, placed.paths),
            "</g>",
            f'<g font-family="{FONTS}" text-anchor="middle">',
            *(drawn(node, captions[node.id], placed.boxes[node.id]) for node in self.nodes),
            "</g>",
            "</svg>",
            "",
        ]
        return "\n".join(lines)

    def _neighbours(self, end: int) -> dict[str, list[Node]]:
        """By node, the other ends of the edges that arrive (0), or of those that leave (1)."""
        known = {node.id: node for node in self.nodes}
        found: dict[str, list[Node]] = {name: [] for name in known}
        for edge in self.edges:
            found[edge[1 - end]].append(known[edge[end]])
        return found

    def _ordered(self) -> list[Node]:
        """Inputs before what uses them; as they were given, where that is so."""
        place = {node.id: i for i, node in enumerate(self.nodes)}
        if all(place[source] < place[target] for source, target in self.edges):
            return list(self.nodes)
        before = {
            name: [other.id for other in nodes] for name, nodes in self._neighbours(0).items()
        }
        try:
            return [self.nodes[place[name]] for name in TopologicalSorter(before).static_order()]
        except CycleError as error:
            circle = " → ".join(self.nodes[place[name]].label for name in error.args[1])
            raise InsightError(
                f"a computational graph has no circle, got {circle[:80]}: "
                "give each step of a loop a node of its own"
            ) from None

    def _captions(self) -> list[tuple[Node, list[str]]]:
        """The lines in each node; an operation leaves its shape to the square that follows."""
        goes = self._neighbours(1)
        captions = []
        for node in self.nodes:
            after = goes[node.id]
            told = node.kind == "operation" and after and all(x.kind == "variable" for x in after)
            captions.append((node, [
                *(f"{x[:LONGEST]}…" if x[LONGEST:] else x for x in node.label.splitlines()),
                *([] if told else shapes(node)),
                *contents(node),
            ]))  # fmt: skip
        return captions


@dataclass(eq=False)
class Step:
    """A call: of an operation or of a module."""

    label: str
    inputs: list["Value"] = field(default_factory=list)


@dataclass(eq=False)
class Value:
    """What a tensor holds from one call that writes it to the next."""

    shape: tuple[int, ...]
    maker: Step | None = None
    label: str = ""
    shown: tuple[Any, ...] = ()  # value, gradient and shade of its node

    @classmethod
    def of(cls, tensor: Tensor, label: str, maker: Step | None, values: bool) -> "Value":
        """What it holds now, and if asked its numbers and what a backward pass has left."""
        values = values and not tensor.is_meta
        numbers = tensor.detach().clone() if values else None
        has_gradient = values and (tensor.is_leaf or tensor.retains_grad)
        gradient = tensor.grad.clone() if has_gradient and tensor.grad is not None else None
        is_learnt = isinstance(tensor, nn.Parameter) and maker is None
        return cls(tuple(tensor.shape), maker, label, (numbers, gradient, is_learnt))


def connected(results: Iterable[Value], inputs: Iterable[Value], title: str) -> Graph:
    """Squares for what has a label, circles for calls, arrows for what goes into what."""
    nodes: list[Node] = []
    edges: list[tuple[str, str]] = []
    known: dict[Value | Step, str] = {}

    def add(label: str, kind: str, of: Value, *more: Any) -> str:
        nodes.append(Node(f"n{len(nodes)}", label, kind, of.shape, *more))
        return nodes[-1].id

    def draw(value: Value) -> None:
        step = value.maker
        if step and step not in known:
            known[step] = add(step.label, "operation", value, *(() if value.label else value.shown))
            edges.extend((known[x], known[step]) for x in step.inputs)
        if not step or value.label:
            known[value] = add(value.label or "constant", "variable", value, *value.shown)
            edges.extend([(known[step], known[value])] if step else [])
        elif step:
            known[value] = known[step]

    stack = [*reversed([*inputs, *results])]
    while stack:  # no recursion: a graph may be thousands of calls deep
        value = stack[-1]
        missing = [x for x in (value.maker.inputs if value.maker else ()) if x not in known]
        stack.extend(reversed(missing))
        if not missing:
            stack.pop()
            if value not in known:
                draw(value)
    return Graph(nodes, edges, title)


def checked(direction: str) -> str:
    """The direction, if it is one."""
    if direction not in ("right", "up"):
        raise InsightError(f"a graph is drawn to the 'right' or 'up', got direction={direction!r}")
    return direction


def shapes(node: Node) -> list[str]:
    """The node's shape in words, if it is known; a single number needs none."""
    return [shape_text(node.shape)] if node.shape else []


def contents(node: Node) -> list[str]:
    """The first numbers of its value and gradient, where there are any."""
    given = (("=", node.value), ("∇", node.gradient))
    return [f"{sign} {numbers(value)}" for sign, value in given if value is not None]


def numbers(value: Any) -> str:
    """A number, or the first three of a tensor."""
    flat = torch.as_tensor(value).detach().reshape(-1)
    first = ", ".join(f"{x + 0.0:.3g}" for x in flat[:3].tolist())
    return first if len(flat) == 1 else f"[{first}{', …' if len(flat) > 3 else ''}]"


def escaped(text: str, entities: dict[str, str] = ENTITIES) -> str:
    """The text with nothing in it that a format would read as its own."""
    return "".join(entities.get(c, c) for c in ILLEGAL.sub("\ufffd", " ".join(text.split())))


def drawn(node: Node, caption: Sequence[str], box: Box) -> str:
    """The node as a group: a title to point at, the outline, and centred lines of text."""
    round_ = min(box.width, box.height) / 2 if node.kind == "operation" else 2
    x, y = box.x + box.width / 2, box.y + box.height / 2 - LINE * (len(caption) - 1) / 2
    lines = [
        f'<text x="{x:g}" y="{y + LINE * i:g}" dy="0.35em" font-size="{SMALL if i else LARGE}" '
        f'fill="{GREY if i else DARK}">{escaped(line)}</text>'
        for i, line in enumerate(caption)
    ]
    title = " ".join([node.label, *shapes(node), *contents(node)])
    outline = (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="{round_:g}" fill="{SHADE if node.shaded else "white"}" stroke="{DARK}" '
        'stroke-width="1.2"/>'
    )
    return f"<g><title>{escaped(title)}</title>{outline}{''.join(lines)}</g>"


def arrow(path: Path) -> str:
    """A curve between two points, with a head where it ends at a node."""
    a, b, c, d, e, f = (f"{x:g},{y:g}" for x, y in path.points)
    head = ' marker-end="url(#arrow)"' if path.ends else ""
    return f'<path d="M{a} L{b} C{c} {d} {e} L{f}"{head}/>'
