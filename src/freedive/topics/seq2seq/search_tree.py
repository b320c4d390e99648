"""What a search has looked at, as a tree, and its drawing (section 10.8)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freedive.topics.calculus.figures import ACCENT, INK
from freedive.topics.seq2seq.decoding import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Path = tuple[int, ...]  # the tokens from the root to a node
PALE = "#b9c2cc"
LEGIBLE = 40  # leaves beyond which only the answer has words


@dataclass(frozen=True)
class Branch:
    """A sequence whose probability a search has looked at.

    Attributes:
        path: its tokens.
        log_prob: of the whole sequence.
        kept: whether the search went on with it.
    """

    path: Path
    log_prob: float
    kept: bool


@dataclass(frozen=True)
class Tree:
    """All that a search has looked at, and the sequence that it gave."""

    branches: list[Branch]
    answer: Path


def branches(trace: Trace, row: int = 0) -> list[Branch]:
    """The branches of one input, level by level."""
    found = []
    for prefixes, alive, totals, kept in trace:
        vocab, chosen = totals.shape[-1], set(kept[row].tolist())
        for beam in alive[row].nonzero()[:, 0].tolist():
            prefix = tuple(prefixes[row, beam].tolist())
            for token, total in enumerate(totals[row, beam].tolist()):
                found.append(Branch((*prefix, token), total, beam * vocab + token in chosen))
    return found


def leaves(tree: Tree) -> list[Path]:
    """The nodes without children, from the top of the drawing to its bottom."""
    parents = {branch.path[:-1] for branch in tree.branches}
    return sorted(branch.path for branch in tree.branches if branch.path not in parents)


def heights(tree: Tree) -> dict[Path, float]:
    """Where each node is drawn: leaves in equal steps from 1 down to 0, parents in their middle."""
    ends = leaves(tree)
    found = {path: 1 - (i + 0.5) / len(ends) for i, path in enumerate(ends)}
    children: dict[Path, list[Path]] = {}
    for branch in tree.branches:
        children.setdefault(branch.path[:-1], []).append(branch.path)
    for path in sorted(children, key=len, reverse=True):
        found[path] = sum(found[child] for child in children[path]) / len(children[path])
    return found


def trees_figure(trees: Mapping[str, Tree], words: Sequence[str], title: str = "") -> "Figure":
    """Trees beside each other, each under the name of its search."""
    from matplotlib.figure import Figure

    most = max(len(leaves(tree)) for tree in trees.values())
    height = 5.6 if most > LEGIBLE else max(3.2, 1.2 + 0.17 * most)
    figure = Figure(figsize=(4.6 * len(trees), height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for axes, (name, tree) in zip(
        figure.subplots(1, len(trees), squeeze=False)[0], trees.items(), strict=True
    ):
        draw_tree(axes, tree, words)
        axes.set_title(f"{name}: {len(tree.branches)} scored", fontsize=10)
    return figure


def draw_tree(axes: "Axes", tree: Tree, words: Sequence[str]) -> None:
    """A tree from left to right: what was dropped pale, what was kept dark, the answer red."""
    from matplotlib.collections import LineCollection

    at, labelled = heights(tree), len(leaves(tree)) <= LEGIBLE
    answer = {tree.answer[: i + 1] for i in range(len(tree.answer))}
    looks: dict[str, tuple[list[Any], float, int]] = {
        PALE: ([], 0.7 if labelled else 0.4, 1),
        INK: ([], 1.3 if labelled else 0.5, 2),
        ACCENT: ([], 2.4, 3),
    }
    for branch in tree.branches:
        colour = ACCENT if branch.path in answer else INK if branch.kept else PALE
        depth, parent = len(branch.path), branch.path[:-1]
        looks[colour][0].append([(depth - 1, at[parent]), (depth, at[branch.path])])
        if labelled or branch.path in answer:
            label_node(axes, branch, (depth, at[branch.path]), words, colour)
    for colour, (lines, width, order) in looks.items():
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, zorder=order))
    depth = max(len(branch.path) for branch in tree.branches)
    axes.plot(0, at[()], "o", color=ACCENT, ms=5, zorder=4)
    axes.set(xlim=(-0.15, depth + 0.95), ylim=(-0.02, 1.02))
    axes.set_axis_off()


def label_node(
    axes: "Axes", branch: Branch, place: tuple[float, float], words: Sequence[str], colour: str
) -> None:
    """A node's word, and the probability of the sequence that ends there."""
    shade = "#6d7782" if colour == PALE else colour
    text = axes.text(*place, f" {words[branch.path[-1]]}  {math.exp(branch.log_prob):.3f}")
    text.set(va="center", fontsize=7.5, color=shade, in_layout=False, zorder=4)
    weight = "bold" if colour == ACCENT else "normal"
    text.set(fontweight=weight, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4})
