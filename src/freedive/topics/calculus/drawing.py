"""Drawings of what a `Variable` was made from, in the book's convention (section 5.3.2)."""

from typing import TYPE_CHECKING

from freedive.topics.calculus.autodiff import Variable

if TYPE_CHECKING:
    from freedive.insight.graph import Graph


def draw(result: Variable) -> "Graph":
    """Squares are variables, circles operations, arrows lead from inputs to the result.

    What an operation made is drawn as a square of its own where it has a name, and at the end;
    else the arrow leads straight to the next operation. Values, and gradients after `backward`,
    stand at the square, or at the circle where there is none.
    """
    from freedive.insight.graph import Graph, Node

    nodes: list[Node] = []
    edges: list[tuple[str, str]] = []
    ends: dict[Variable, str] = {}  # the node that the arrows of a variable start from

    def add(label: str, kind: str, made: Variable, shown: bool) -> str:
        seen = (made.value, made.gradient) if shown else (None, None)
        nodes.append(Node(f"n{len(nodes)}", label, kind, made.shape, *seen))
        return nodes[-1].id

    for made in sorted(result.ancestors(constants=True), key=lambda made: made.depth):
        square = not made.inputs or bool(made.label) or made is result
        if made.inputs:
            circle = add(made.operation, "operation", made, shown=not square)
            edges += [(ends[parent], circle) for parent, _ in made.inputs]
            ends[made] = circle
        if square:
            ends[made] = add(made.label or leaf_label(made), "variable", made, shown=True)
            edges += [(circle, ends[made])] if made.inputs else []
    return Graph(nodes, edges)


def leaf_label(variable: Variable) -> str:
    """What a variable without a name is called: a number by its value."""
    if variable.inputs:
        return "result"
    if variable.value.numel() == 1:
        return f"{variable.item():g}"
    return "variable" if variable.tracked else "constant"
