"""Old code from a file to a report, as a user has it: through the command line."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.d2l.notebooks import prepared, read_cells, save_notebook


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command on a file of that content: exit code, what it says, and the notebook."""
    monkeypatch.chdir(tmp_path)

    def call(content, *flags, name="old.py"):
        Path(name).write_text(content, encoding="utf-8")
        code = main(["d2l", "run", name, "--out", "new.ipynb", "--overwrite", *flags])
        said = capsys.readouterr()
        written = json.loads(Path("new.ipynb").read_text()) if Path("new.ipynb").exists() else None
        return code, said.out + said.err, written

    return call


ALL_OF_AN_EDITION = """
import json, os, sys
os.environ["MPLBACKEND"] = "agg"
from pathlib import Path
from freedive import d2l
from freedive.d2l.cells import Console
from freedive.d2l.notebooks import prepared, read_cells
d2l.activate()
for path in map(Path, sys.argv[1:]):
    console = Console()  # a namespace of its own
    for number, cell in enumerate(filter(lambda cell: cell.code, read_cells(path)), 1):
        found = console.run(prepared(cell.source)[0])
        assert json.dumps(found)
        if found["error"]:
            print(f"{path.name} cell {number} {found['error']}")
"""


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_a_notebook_for_each_chapter_runs_to_its_end(edition):
    paths = sorted(map(str, (Path(__file__).parent / "notebooks" / edition).iterdir()))
    assert len(paths) >= 11
    command = [sys.executable, "-c", ALL_OF_AN_EDITION, *paths]
    fast = {**os.environ, "FREEDIVE_D2L_FAST": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=fast, timeout=600)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr[-2000:]


@pytest.mark.parametrize(
    "name", ["en/06_builders.py", "zh/05_builders.md", "en/11_attention.ipynb"]
)
def test_one_of_each_kind_runs_through_the_command(name, tmp_path):
    out, path = tmp_path / "done.ipynb", Path(__file__).parent / "notebooks" / name
    command = [sys.executable, "-m", "freedive", "d2l", "run", str(path), "--fast", "--json"]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=600
    )
    told = json.loads(done.stdout)
    assert [cell for cell in told["cells"] if cell["verdict"] != "ok"] == []
    assert done.returncode == 0
    written = json.loads(out.read_text())
    kinds = {o["output_type"] for cell in written["cells"] for o in cell.get("outputs", ())}
    assert kinds <= {"stream", "display_data"}


def test_values_prints_and_pictures_are_kept_and_magics_are_passed_over(run):
    code, said, written = run(
        "# %% [markdown]\n# # Title\n# text\n"
        "# %%\n%matplotlib inline\n!pip install d2l\nfrom d2l import torch as d2l\n"
        "print('hello')\n1 + 1\n"
        "# %%\nd2l.plot([1, 2, 3])\n"
        "# %%\na = d2l.Animator()\na.add(1, 2)\na.add(2, 3)\n"
    )
    assert code == 0
    assert "without %matplotlib inline; without !pip install d2l" in said.replace("\n", " ") or (
        "!pip install d2l" in said
    )
    text, first, second, third = written["cells"]
    assert (text["cell_type"], "".join(text["source"])) == ("markdown", "# Title\ntext")
    assert first["outputs"][0]["text"] == ["hello\n"]
    assert first["outputs"][1]["data"]["text/plain"] == ["2"]
    for cell in (second, third):
        (shown,) = cell["outputs"]
        assert base64.b64decode(shown["data"]["image/png"]).startswith(b"\x89PNG")
    assert written["nbformat"] == 4
    assert [c.get("execution_count") for c in written["cells"]] == [None, 1, 2, 3]


FAILING = "# %%\nx = 1\n# %%\ny = 2\n1 / 0\n# %%\nprint(x)\n"


def test_a_failing_cell_ends_the_run_with_its_line(run):
    code, said, written = run(FAILING)
    assert code == 1
    assert "cell 2 failed: line 2: ZeroDivisionError: division by zero" in said
    assert "not run" in said
    (error,) = written["cells"][1]["outputs"]
    assert error["ename"] == "ZeroDivisionError"
    assert any("1 / 0" in line for line in error["traceback"])
    assert written["cells"][2]["outputs"] == []


def test_it_goes_on_where_that_is_asked(run):
    code, _, written = run(FAILING, "--keep-going")
    assert code == 1
    assert written["cells"][2]["outputs"][0]["text"] == ["1\n"]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("def f(:\n    pass", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("raise ValueError", "line 1: ValueError"),
        ("from d2l import torch as d2l\nd2l.Vocabb", "did you mean 'Vocab'"),
        ("from d2l import mxnet as d2l", "freedive speaks torch"),
    ],
)
def test_every_error_is_one_line(run, cell, told):
    code, said, _ = run(cell)
    assert code == 1
    (line,) = (line for line in said.splitlines() if line.startswith("cell 1 failed"))
    assert told in line


def test_a_cell_that_never_ends_is_stopped(run):
    code, said, written = run("# %%\nwhile True:\n    pass\n# %%\n1\n", "--timeout", "8")
    assert code == 1
    assert "cell 1 too long: stopped after 8 s" in said
    assert len(written["cells"]) == 2


def test_a_process_that_dies_is_told(run):
    code, said, _ = run("import os\nos._exit(7)")
    assert code == 1
    assert "the process ended with code 7" in said


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("old.ipynb", "{", "is no notebook"),
        ("old.ipynb", "[]", "is no notebook"),
        ("old.ipynb", '{"cells": []}', "holds no code cell"),
        ("old.txt", "x = 1", "ends in .ipynb, .py or .md"),
        ("old.py", "", "holds no code cell"),
        ("old.md", "only text", "holds no code cell"),
    ],
)
def test_what_is_no_code_is_refused_in_one_line(run, name, content, told):
    code, said, _ = run(content, name=name)
    assert code == 2
    assert told in said
    assert said.count("\n") == 1


def test_no_file_and_a_file_that_is_there(run, tmp_path):
    with pytest.raises(UsageError, match="no file"):
        read_cells(Path("nowhere.py"))
    run("x = 1")
    assert main(["d2l", "run", "old.py", "--out", "new.ipynb"]) == 2
    assert main(["d2l", "rum", "old.py"]) == 2


def test_tabs_of_other_frameworks_are_left_out():
    assert prepared("%%tab mxnet\nnpx.set_np()") == ("", ["for mxnet"])
    assert prepared("#@tab tensorflow, jax\nx")[0] == ""
    for tab in ("%%tab all", "%%tab pytorch, mxnet", "#@tab pytorch"):
        source, skipped = prepared(f"{tab}\nx = 1")
        assert source.endswith("x = 1")
        assert skipped == []


def test_a_saved_notebook_is_read_again(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# T\n\n```python\nx = 1\n```\n\nmore\n\n```{.python .input}\nx\n```\n")
    cells = read_cells(path)
    assert [(c.code, c.source) for c in cells] == [
        (False, "# T"), (True, "x = 1"), (False, "more"), (True, "x")
    ]  # fmt: skip
    save_notebook(cells, tmp_path / "page.ipynb")
    again = read_cells(tmp_path / "page.ipynb")
    assert [(c.code, c.source) for c in again] == [(c.code, c.source) for c in cells]
