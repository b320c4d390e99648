"""The process in which old code runs: reads cells from standard input, answers with outputs.

``python -m freedive.d2l.cells``; each line in is a JSON text with a cell's code, each line out
what it has printed, shown and drawn, and its error, if it had one.
"""

import ast
import base64
import contextlib
import io
import json
import linecache
import os
import sys
import traceback
import warnings
from typing import Any


class Console:
    """A namespace in which cells are executed one after the other, as in a notebook."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "display": self.display}
        self.outputs: list[dict[str, Any]] = []
        self.number = 0
        self.drawn: dict[int, int] = {}  # points of each live picture that was kept last

    def run(self, source: str) -> dict[str, Any]:
        """Execute a cell.

        Returns:
            ``outputs``, as nbformat keeps them, and ``error``: a line, or nothing.
        """
        self.number += 1
        self.outputs, said, error = [], io.StringIO(), ""
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                self.execute(source)
            except BaseException as raised:  # also SystemExit: a cell's, not this process's
                error = self.told(raised)
            self.keep_pictures()
        if said.getvalue():
            text = said.getvalue().splitlines(keepends=True)
            self.outputs.insert(0, {"output_type": "stream", "name": "stdout", "text": text})
        return {"outputs": self.outputs, "error": error}

    def execute(self, source: str) -> None:
        """All statements; the value of a last expression is shown."""
        name = f"<cell {self.number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.names)
        if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
            value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
            if value is not None:
                self.display(value)
        elif isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), name, "exec"), self.names)

    def display(self, *values: Any) -> None:
        """Show values as a notebook does."""
        for value in values:
            data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
            if hasattr(value, "savefig"):
                data["image/png"] = png(value)
            elif (html := getattr(value, "_repr_html_", None)) and (text := html()):
                data["text/html"] = text.splitlines(keepends=True)
            self.outputs.append({"output_type": "display_data", "data": data, "metadata": {}})

    def keep_pictures(self) -> None:
        """What pyplot holds, and boards and animators that have grown."""
        plt = sys.modules.get("matplotlib.pyplot")
        if plt is not None:
            for number in plt.get_fignums():
                self.display(plt.figure(number))
            plt.close("all")
        plotting = sys.modules.get("freedive.d2l.plotting")
        for live in sorted(getattr(plotting, "LIVE", ()), key=id):
            lines = getattr(live, "series", None)
            lines = list(lines.values()) if lines is not None else (live.X or [])
            points = sum(map(len, lines))
            if points and points != self.drawn.get(id(live), 0):
                self.drawn[id(live)] = points
                figure = live.figure() if hasattr(live, "figure") else live.fig
                self.display(figure)

    def told(self, error: BaseException) -> str:
        """An error in a line, with the line of the cell; the whole goes to the outputs."""
        frames = traceback.extract_tb(error.__traceback__)
        mine = [f for f in frames if f.filename.startswith("<cell ")]
        where = f"line {mine[-1].lineno}: " if mine else ""
        if isinstance(error, SyntaxError):
            where = f"line {error.lineno}: "
        inner = frames[next((i for i, f in enumerate(frames) if f in mine), 0) :]
        lines = traceback.format_list(inner) + traceback.format_exception_only(error)
        name, text = type(error).__name__, str(error)
        kept = {"output_type": "error", "ename": name, "evalue": text, "traceback": lines}
        self.outputs.append(kept)
        first = text.strip().splitlines()[0] if text.strip() else ""
        return f"{where}{name}: {first}"


def png(figure: Any) -> str:
    """A figure as a notebook keeps it."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return base64.b64encode(content.getvalue()).decode()


def main() -> None:
    """Answer each line until there is none."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a cell writes to the descriptor itself is no answer
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    from freedive import d2l

    d2l.activate(older="--zh" in sys.argv)
    console = Console()
    for line in sys.stdin:
        answers.write(json.dumps(console.run(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
