"""Where the nodes of a graph stand and how its arrows run: a drawing in layers.

Each node stands one layer after the last of its inputs; what crosses a layer on its way gets a
place of its own there, so that no arrow runs through a box. The order in a layer is that of the
mean of the neighbours, which leaves few crossings; the places are the nearest to the neighbours'.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise, product
from unicodedata import east_asian_width

Point = tuple[float, float]
Key = str | tuple[str, int]  # a node, or where the arrows of a node cross a layer
Places = dict[Key, float]

MARGIN, GAP, SLIM, HEAD = 12.0, 18.0, 12.0, 9.0  # HEAD: the straight end of an arrow
LARGE, SMALL, LINE = 14, 11, 14  # fonts: of a label, of what stands under it; and its height
WIDE, NARROW = "mwMW@%", "fijlrtI.,:;'|!()[]/ "
MOST_CROSSINGS = 20_000  # places kept free for arrows; beyond that the longest run behind boxes


@dataclass(frozen=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Path:
    """Straight, then a curve with two control points, then straight.

    Attributes:
        points: start, start of the curve, its two control points, its end, end.
        ends: whether it ends at a node, and not where the next part begins.
    """

    points: Sequence[Point]
    ends: bool


@dataclass(frozen=True)
class Layout:
    """The boxes of all nodes, the parts of all arrows, and the size of the drawing."""

    boxes: dict[str, Box]
    paths: list[Path]
    width: float
    height: float


class Layers:
    """The nodes and crossings of each layer in order, and the links between them."""

    def __init__(self, nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> None:
        self.rank = ranks(nodes, edges)
        self.links: list[tuple[Key, Key]] = []
        self._link(edges)
        self.layers: list[list[Key]] = [[] for _ in range(max(self.rank.values(), default=-1) + 1)]
        for key, rank in self.rank.items():
            self.layers[rank].append(key)
        self.before: dict[Key, list[Key]] = {key: [] for key in self.rank}
        self.after: dict[Key, list[Key]] = {key: [] for key in self.rank}
        for a, b in self.links:
            if self.rank[b] == self.rank[a] + 1:  # not one that runs behind the boxes
                self.after[a].append(b)
                self.before[b].append(a)

    def _link(self, edges: Sequence[tuple[str, str]]) -> None:
        """Arrows from one node share their way until they part."""
        goals: dict[str, list[str]] = {}
        for source, target in edges:
            goals.setdefault(source, []).append(target)
        free = MOST_CROSSINGS
        for source, targets in goals.items():
            start, end = self.rank[source], max(self.rank[target] for target in targets)
            way: list[Key] = [source]
            if end - start - 1 <= free:
                free -= end - start - 1
                way += [(source, rank) for rank in range(start + 1, end)]
                self.rank.update((key, start + i) for i, key in enumerate(way))
            self.links += pairwise(way)
            for target in targets:
                self.links.append((way[min(self.rank[target] - start, len(way)) - 1], target))

    def untangle(self, sweeps: int = 12) -> None:
        """Order each layer by its neighbours, to and fro; keep the order with fewest crossings."""
        best, fewest = [list(layer) for layer in self.layers], self.crossings()
        for sweep in range(sweeps if fewest else 0):
            forward = sweep % 2 == 0
            place = {key: float(i) for layer in self.layers for i, key in enumerate(layer)}
            near = self.before if forward else self.after
            for layer in self.layers if forward else reversed(self.layers):
                layer.sort(key=lambda key: mean([place[x] for x in near[key]], place[key]))
                place.update((key, float(i)) for i, key in enumerate(layer))
            count = self.crossings()
            if count < fewest:
                best, fewest = [list(layer) for layer in self.layers], count
        self.layers = best

    def crossings(self) -> int:
        """How many pairs of links cross."""
        place = {key: i for layer in self.layers for i, key in enumerate(layer)}
        total = 0
        for layer in self.layers:
            ends: list[int] = []
            for key in layer:
                targets = sorted(place[x] for x in self.after[key])
                total += sum(len(ends) - bisect_left(ends, x + 1) for x in targets)
                for x in targets:
                    insort(ends, x)
        return total


def ranks(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[Key, int]:
    """The layer of each node, one after its last input.

    What has no input stands by its first user, and so does what needs an input of its own and
    nothing else that is computed: a step of a recurrent network stands by its time.

    Args:
        nodes: inputs before what uses them.
        edges: between nodes.
    """
    rank: dict[Key, int] = dict.fromkeys(nodes, 0)
    before: dict[str, list[str]] = {name: [] for name in nodes}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    for name in nodes:
        rank[name] = max((rank[x] + 1 for x in before[name]), default=0)
    for name in reversed(nodes):
        given = not any(before[x] for x in before[name])
        own = not before[name] or any(len(after[x]) == 1 for x in before[name])
        if after[name] and given and own:
            rank[name] = min(rank[x] for x in after[name]) - 1
    return rank


def is_node(*keys: Key) -> bool:
    """Whether one of them is a node, and not a place where arrows cross a layer."""
    return any(isinstance(key, str) for key in keys)


def mean(values: Sequence[float], otherwise: float) -> float:
    """The mean, or something else where there are no values."""
    return sum(values) / len(values) if values else otherwise


def blocks(graph: Layers, forward: bool, first: bool) -> dict[Key, Key]:
    """Which nodes form a straight line, each called by its first one.

    Each takes the place of the median of its neighbours in the layer before, if no other has it
    and no line of crossings is in the way.
    """
    root: dict[Key, Key] = {key: key for key in graph.rank}
    near = graph.before if forward else graph.after
    for previous, layer in pairwise(graph.layers if forward else graph.layers[::-1]):
        place = {key: i if first else -i for i, key in enumerate(previous)}
        line = layer if first else layer[::-1]
        long = {key: place[x] for key in line for x in near[key] if not is_node(key, x)}
        free, taken = dict[Key, float](), -float("inf")
        for key, after in pairwise([*line, ""][::-1]):
            free[after] = min(free.get(key, float("inf")), long.get(key, float("inf")))
        for key in line:
            around = sorted(near[key], key=lambda x: place[x])
            for x in around[(len(around) - 1) // 2 : len(around) // 2 + 1]:
                if root[key] == key and taken < place[x] < free[key]:
                    root[key], taken = root[x], place[x]
    return root


def compact(graph: Layers, root: Mapping[Key, Key], broad: Places, first: bool) -> Places:
    """The first place for each line of nodes, and then as near as it can be to the next one."""
    apart: dict[Key, dict[Key, float]] = {key: {} for key in root.values()}
    for a, b in (pair for layer in graph.layers for pair in pairwise(layer)):
        distance = (broad[a] + broad[b]) / 2 + (GAP if is_node(a) and is_node(b) else SLIM)
        one, other = (root[a], root[b]) if first else (root[b], root[a])
        apart[one][other] = max(apart[one].get(other, 0.0), distance)
    order = list(TopologicalSorter(apart).static_order())  # the last ones come first
    place: Places = dict.fromkeys(order, 0.0)
    for key in reversed(order):
        for other, distance in apart[key].items():
            place[other] = max(place[other], place[key] + distance)
    for key in order:
        room = [place[other] - distance for other, distance in apart[key].items()]
        place[key] = max(place[key], min(room, default=place[key]))
    return {key: place[root[key]] if first else -place[root[key]] for key in graph.rank}


def places(graph: Layers, broad: Places) -> Places:
    """The middle of each node across the layers, after Brandes and Köpf (2002).

    Lines are made straight in four ways, from the first layer or the last, from the one end of
    the layers or the other; a node stands halfway between the middle two of its four places.
    """
    ways = list(product((True, False), repeat=2))
    found = [compact(graph, blocks(graph, *way), broad, way[1]) for way in ways]
    ends = [(min(x.values(), default=0.0), max(x.values(), default=0.0)) for x in found]
    low, high = min(ends, key=lambda end: end[1] - end[0])
    shifts = [low - a if way[1] else high - b for way, (a, b) in zip(ways, ends, strict=True)]
    four = {key: sorted(p[key] + x for p, x in zip(found, shifts, strict=True)) for key in found[0]}
    return {key: (some[1] + some[2]) / 2 for key, some in four.items()}


def text_width(line: str, font: int) -> float:
    """How wide a line is in any sans-serif font, rather too wide than too narrow."""
    ems = (
        1.0 if c in WIDE or east_asian_width(c) in "WF" else 0.4 if c in NARROW
        else 0.85 if c.isupper() or c in "×=∇" else 0.63
        for c in line
    )  # fmt: skip
    return font * sum(ems)


def box_size(caption: Sequence[str], is_round: bool) -> tuple[float, float]:
    """Width and height: at least a square, and a circle while the lines are short."""
    fonts = [LARGE, *[SMALL] * len(caption)]
    width = max((text_width(*line) for line in zip(caption, fonts, strict=False)), default=0.0)
    height = max(34.0, LARGE + 14 + LINE * (len(caption) - 1))
    across = max(1.1 * width, height) + 10
    if is_round:
        return (across, across) if across <= 72 else (width + 34, height + 2)
    return max(width + 14, height), height


def strips(graph: Layers, deep: Places, place: Places) -> list[Point]:
    """Where each layer begins and ends; steep arrows get more room between two layers."""
    found: list[Point] = []
    at = MARGIN
    for layer in graph.layers:
        found.append((at, at + max(deep[key] for key in layer)))
        steep = max((abs(place[a] - place[b]) for a in layer for b in graph.after[a]), default=0.0)
        at = found[-1][1] + min(28 + steep / 8, 120)
    return found


def layout(
    sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]], up: bool = False
) -> Layout:
    """Boxes and arrows, from the left to the right or from the bottom up.

    Args:
        sizes: width and height of each node, inputs before what uses them.
        edges: between nodes, without a circle.
        up: layers stand on top of each other, and not side by side.
    """
    graph = Layers(list(sizes), edges)
    graph.untangle()
    deep: Places = dict.fromkeys(graph.rank, 0.0)
    broad: Places = dict.fromkeys(graph.rank, 0.0)
    for name, (wide, high) in sizes.items():
        deep[name], broad[name] = (high, wide) if up else (wide, high)
    place = upright(graph, places(graph, broad), broad)
    span = strips(graph, deep, place)
    breadth = max((x + broad[key] / 2 for key, x in place.items()), default=MARGIN) + MARGIN
    length = (span[-1][1] if span else MARGIN) + MARGIN

    def point(along: float, across: float) -> Point:
        return (across, length - along) if up else (along, breadth - across)

    boxes: dict[str, Box] = {}
    near: Places = dict.fromkeys(graph.rank, 0.0)  # half of what an arrow leaves free, along
    for name, (wide, high) in sizes.items():
        x, y = point(sum(span[graph.rank[name]]) / 2, place[name])
        boxes[name] = Box(round(x - wide / 2, 1), round(y - high / 2, 1), wide, high)
        near[name] = deep[name] / 2
    paths = []
    for a, b in graph.links:
        (begin, leave), (enter, finish) = span[graph.rank[a]], span[graph.rank[b]]
        bend = (leave + enter - HEAD) / 2
        alongs = (
            *((begin + leave) / 2 + near[a], leave, bend),
            *(bend, enter - HEAD, (enter + finish) / 2 - near[b]),
        )
        acrosses = [place[a]] * 3 + [place[b]] * 3
        points = [point(*xy) for xy in zip(alongs, acrosses, strict=True)]
        paths.append(Path([(round(x, 1), round(y, 1)) for x, y in points], isinstance(b, str)))
    width, height = (breadth, length) if up else (length, breadth)
    return Layout(boxes, paths, round(width, 1), round(height, 1))


def upright(graph: Layers, place: Places, broad: Places) -> Places:
    """The same places from the margin on, and so that inputs are lower than results."""
    nodes = [key for key in place if isinstance(key, str)]
    first = mean([place[key] for key in nodes if not graph.before[key]], 0.0)
    last = mean([place[key] for key in nodes if not graph.after[key]], 0.0)
    turn = -1.0 if last < first - 1 else 1.0
    low = min((turn * x - broad[key] / 2 for key, x in place.items()), default=0.0)
    return {key: turn * x - low + MARGIN for key, x in place.items()}
