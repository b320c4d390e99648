"""The process in which old code runs: reads cells from standard input, answers with outputs.

``python -m freedive.d2l.cells``; each line in is a JSON text with a cell's code (null: begin
anew), each line out what it has printed, shown and drawn, and its error, if it had one.
"""

import ast
import base64
import contextlib
import io
import json
import linecache
import os
import queue
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TextIO

BACKEND = "module://freedive.d2l.inline"
MOST = 1_000_000  # signs that are kept of what a cell prints
RICH = {"_repr_html_": "text/html", "_repr_markdown_": "text/markdown",
        "_repr_latex_": "text/latex", "_repr_svg_": "image/svg+xml",
        "_repr_png_": "image/png"}  # fmt: skip


class Said(io.StringIO):
    """What a cell prints, up to a length at which no notebook opens any more."""

    length = 0

    def write(self, text: str) -> int:
        """Keep a text, or its beginning, or the word that something is missing."""
        if self.length <= MOST:
            super().write(text[: MOST - self.length])
            if self.length + len(text) > MOST:
                super().write(f"\n… only the first {MOST} signs are kept\n")
        self.length += len(text)
        return len(text)

    def lines(self) -> list[str]:
        """As a terminal shows them in the end: a bar that is drawn over itself is one line."""
        lines = self.getvalue().replace("\r\n", "\n").split("\n")
        text = "\n".join(line.rpartition("\r")[2] for line in lines)
        return text.splitlines(keepends=True)


class Console:
    """A namespace in which cells are executed one after the other, as in a notebook."""

    def __init__(self) -> None:
        from freedive.d2l import inline

        inline.HOOKS.update(
            display=self.display, clear_output=self.clear, show=self.keep_open_figures
        )
        self.main = ModuleType("__main__")  # where pickle looks for a cell's classes
        sys.modules["__main__"] = self.main
        self.names: dict[str, Any] = vars(self.main)
        self.names |= {"display": inline.display, "get_ipython": inline.Shell, "tab": inline.Tab()}
        self.shown: list[Any] = []  # outputs; a figure stands for itself until the cell's end
        self.number = 0
        self.clear_next = False
        self.drawn: dict[int, int] = {}  # points of each live picture that was kept last

    def run(self, source: str) -> dict[str, Any]:
        """Execute a cell.

        Returns:
            ``outputs``, as nbformat keeps them, and ``error``: a line, or nothing.
        """
        self.number += 1
        self.shown, self.clear_next, said, error = [], False, Said(), ""
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                with interruptible():
                    self.execute(source)
            except SystemExit as end:  # a cell's, not this process's
                error = self.told(end) if end.code else ""
            except BaseException as raised:
                error = self.told(raised)
            try:
                self.keep_open_figures()
                self.keep_live_figures()
                outputs = [shown(value) for value in self.shown]
            except Exception as raised:  # a label that matplotlib cannot draw, for one
                error = error or self.told(raised)
                outputs = [value for value in self.shown if isinstance(value, dict)]
        if said.getvalue():
            stream = {"output_type": "stream", "name": "stdout", "text": said.lines()}
            outputs.insert(0, stream)
        return {"outputs": outputs, "error": error}

    def execute(self, source: str) -> None:
        """All statements; the value of a last expression is shown."""
        name = f"<cell {self.number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        tree = ast.parse(source, name)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        exec(compile(tree, name, "exec"), self.names)
        if not isinstance(last, ast.Expr):
            return
        value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
        if value is not None and not source.rstrip().endswith(";"):
            self.display(value)

    def display(self, *values: Any, **_: Any) -> None:
        """Show values as a notebook does."""
        for value in values:
            if self.clear_next:
                self.shown, self.clear_next = [], False
            # a figure is drawn at the end: the one that replaces it may come before that
            self.shown.append(value if hasattr(value, "savefig") else shown(value))

    def clear(self, wait: bool = False) -> None:
        """Forget what was shown, at once or with the next thing that is."""
        if wait:
            self.clear_next = True
        else:
            self.shown = []

    def keep_open_figures(self) -> None:
        """What pyplot holds, which then begins anew."""
        plt = sys.modules.get("matplotlib.pyplot")
        if plt is None:
            return
        for number in plt.get_fignums():
            figure = plt.figure(number)
            if not any(figure is value for value in self.shown):
                self.display(figure)
        plt.close("all")

    def keep_live_figures(self) -> None:
        """Boards and animators that have grown in this cell."""
        plotting = sys.modules.get("freedive.d2l.plotting")
        for live in sorted(getattr(plotting, "LIVE", ()), key=id):
            series = getattr(live, "series", None)
            lines = list(series.values()) if series is not None else (live.X or [])
            points = sum(map(len, lines))
            if points and points != self.drawn.get(id(live), 0):
                self.drawn[id(live)] = points
                self.display(live.figure() if hasattr(live, "figure") else live.fig)

    def told(self, error: BaseException) -> str:
        """An error in a line, with the line of the cell; the whole goes to the outputs."""
        frames = traceback.extract_tb(error.__traceback__)
        mine = [f for f in frames if f.filename == f"<cell {self.number}>"]
        line = mine[-1].lineno if mine else getattr(error, "lineno", None)
        inner = frames[frames.index(mine[0]) :] if mine else []  # none of this file
        lines = traceback.format_list(inner) + traceback.format_exception_only(error)
        name, text = type(error).__name__, said_by(error)
        self.shown.append(
            {"output_type": "error", "ename": name, "evalue": text, "traceback": lines}
        )
        first = next(iter(text.strip().splitlines()), "")
        return (f"line {line}: " if line else "") + name + (f": {first}" if first else "")


def shown(value: Any) -> Any:
    """A value as nbformat keeps it: its text, and what else it can be drawn as."""
    if isinstance(value, dict) and "output_type" in value:
        return value
    data: dict[str, Any] = {"text/plain": repr(value)[:MOST].splitlines(keepends=True)}
    if hasattr(value, "savefig"):
        data["image/png"] = png(value)
    elif hasattr(value, "_repr_mimebundle_"):
        data |= value._repr_mimebundle_()
    for method, mime in RICH.items():
        if mime not in data and not isinstance(value, type) and hasattr(value, method):
            content = getattr(value, method)()
            if isinstance(content, bytes):
                data[mime] = base64.b64encode(content).decode()
            elif isinstance(content, str):
                data[mime] = content.splitlines(keepends=True)
    return {"output_type": "display_data", "data": data, "metadata": {}}


def png(figure: Any) -> str:
    """A figure as a notebook keeps it."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return base64.b64encode(content.getvalue()).decode()


def said_by(error: BaseException) -> str:
    """An error's text, also where its own ``__str__`` fails."""
    try:
        return str(error)
    except Exception:
        return ""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """An interrupt stops the cell; between cells it does nothing."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def begin(older: bool) -> Console:
    """A console for a new notebook: what another one has changed in the old names is gone."""
    for name in [n for n in sys.modules if re.match(r"(freedive\.)?d2l(\.|$)", n)]:
        del sys.modules[name]
    from freedive import d2l
    from freedive.d2l import inline

    d2l.activate(older)
    inline.stand_in()
    if "matplotlib.pyplot" in sys.modules:  # it holds the backend of the console before
        sys.modules["matplotlib.pyplot"].switch_backend(BACKEND)
    return Console()


def listen(asked: TextIO, cells: "queue.Queue[str]") -> None:
    """Hand on what is asked; when nobody is there to ask, also a cell that never ends is over."""
    for line in asked:
        cells.put(line)
    os._exit(0)


def main() -> None:
    """Answer each line until there is none."""
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a cell that asks for input gets none,
    os.dup2(2, 1)  # and what it writes to the descriptor itself is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["MPLBACKEND"] = BACKEND
    older = "--zh" in sys.argv
    sys.argv = sys.argv[:1]
    cells: queue.Queue[str] = queue.Queue()
    threading.Thread(target=listen, args=(asked, cells), daemon=True).start()
    console = begin(older)
    while True:
        source = json.loads(cells.get())
        if source is None:
            console, answer = begin(older), {"outputs": [], "error": ""}
        else:
            answer = console.run(source)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
