"""Which changed signs no claim notices: ``python -m benchmarks.mutation``.

In every ``topics/*/scratch.py`` each operator is flipped alone: + and −, × and ÷, @ with its sides
exchanged, a minus sign left out. The claims of the topic, and of the topics that use the file, are
then checked in a process of its own. A mutant survives where all of them hold; the survivors are
listed, each with its line.
"""

import argparse
import ast
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import torch

import freedive

ROOMS = Path(freedive.__file__).parent / "topics"
FLIPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
MOST_SECONDS = 120  # of a mutant; one that goes on for longer has been noticed


@dataclass(frozen=True)
class Mutant:
    """One changed operator."""

    path: Path
    number: int  # of the operator in its file
    line: int
    text: str  # of the line as it is


def changeable(tree: ast.Module) -> Iterator[ast.BinOp | ast.UnaryOp]:
    """The operators that compute something: those of types and messages are left out."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, (ast.arg, ast.AnnAssign)):
            parts = [node.annotation]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts = [node.returns]
        elif isinstance(node, (ast.Raise, ast.JoinedStr)):
            parts = [node]
        elif isinstance(node, ast.Assign) and node.col_offset == 0:  # such as the name of a type
            parts = [node.value]
        for part in parts:
            skipped |= {id(below) for below in ast.walk(part)} if part is not None else set()
    for node in ast.walk(tree):
        binary = isinstance(node, ast.BinOp) and (type(node.op) in (*FLIPPED, ast.MatMult))
        minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        if id(node) not in skipped and (binary or (minus and not is_axis(node))):
            yield node  # type: ignore[misc]


def is_axis(node: ast.AST) -> bool:
    """Whether a minus belongs to a number such as −1, which counts axes from the end."""
    operand = getattr(node, "operand", None)
    return isinstance(operand, ast.Constant) and isinstance(operand.value, int)


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file."""
    source = path.read_text(encoding="utf8")
    lines = source.splitlines()
    return [
        Mutant(path, number, node.lineno, lines[node.lineno - 1].strip())
        for number, node in enumerate(changeable(ast.parse(source)))
    ]


def mutated(mutant: Mutant) -> CodeType:
    """The file with that operator changed."""
    tree = ast.parse(mutant.path.read_text(encoding="utf8"))
    node = list(changeable(tree))[mutant.number]
    if isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    elif isinstance(node.op, ast.MatMult):
        node.left, node.right = node.right, node.left
    else:
        node.op = FLIPPED[type(node.op)]()
    return compile(tree, mutant.path, "exec")


def users_of(path: Path) -> list[str]:
    """The topic of a scratch file, then those whose files import it."""
    own = path.parent.name
    names = (f"topics.{own}.scratch", f"topics.{own} import")
    found = {
        file.parent.name
        for file in ROOMS.glob("*/*.py")
        if any(name in file.read_text(encoding="utf8") for name in names)
    }
    return [own, *sorted(found - {own})]


def survives(mutant: Mutant) -> bool:
    """Whether all claims hold with that operator changed; runs in a process of its own."""
    code, as_it_is = mutated(mutant), SourceFileLoader.get_code
    SourceFileLoader.get_code = lambda loader, name: (  # type: ignore[method-assign]
        code if Path(loader.path) == mutant.path else as_it_is(loader, name)
    )
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(MOST_SECONDS)
    try:
        from freedive import catalog

        known = {claim.topic for claim in catalog.claims()}
        return all(
            verdict.holds
            for topic in users_of(mutant.path)
            if topic in known
            for claim in catalog.claims(topic)
            for verdict in claim.verify()
        )
    except (Exception, KeyboardInterrupt, SystemExit):
        return False


def main() -> None:
    """Print the survivors, and their share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", nargs="*", default=[], help="only these rooms")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    paths = [p for p in sorted(ROOMS.glob("*/scratch.py"))
             if not asked.topics or p.parent.name in asked.topics]  # fmt: skip
    every = [mutant for path in paths for mutant in mutants(path)]
    # a fork has torch already, and imports the topics itself: nothing here may have done so
    assert not any(name.startswith("freedive.topics.") for name in sys.modules)
    alive = 0
    with multiprocessing.get_context("fork").Pool(asked.workers, maxtasksperchild=1) as pool:
        for mutant, survived in zip(every, pool.imap(survives, every), strict=True):
            alive += survived
            if survived:
                where = f"{mutant.path.parent.name}/{mutant.path.name}:{mutant.line}"
                print(f"{where}: {mutant.text}", flush=True)
    print(f"{alive} of {len(every)} mutants survive ({alive / max(len(every), 1):.1%})")


if __name__ == "__main__":
    main()
