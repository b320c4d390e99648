"""The process that executes cells: what old code may do there, and what it leaves."""

import json

import pytest

from freedive.d2l.cells import MOST, Said
from freedive.d2l.notebooks import Cell, default_tab, prepared, read_cells, save_notebook
from freedive.d2l.running import Worker, run_with


@pytest.fixture(scope="module")
def worker():
    process = Worker()
    yield process
    process.stop()


@pytest.fixture
def ask(worker):
    """What a cell leaves in a notebook of its own: outputs and error."""
    worker.ask(None)

    def call(source):
        answer = worker.ask(source, timeout=60)
        return answer["outputs"], answer["error"]

    return call


def texts(outputs):
    """What was printed, and the text of each thing shown."""
    return ["".join(o["text"] if "text" in o else o["data"]["text/plain"]) for o in outputs]


def test_a_new_notebook_knows_nothing_of_the_last(ask, worker):
    ask("from d2l import torch as d2l\nx = 1\nd2l.mine = 2\n"
        "@d2l.add_to_class(d2l.Trainer)\ndef fit_epoch(self): pass\n")  # fmt: skip
    worker.ask(None)
    outputs, error = ask("from d2l import torch as d2l\n"
                         "(hasattr(d2l, 'mine'), 'x' in globals(), "
                         "d2l.Trainer.fit_epoch.__module__)")  # fmt: skip
    assert not error
    assert texts(outputs)[0].startswith("(False, False, 'freedive.")


def test_classes_of_cells_are_saved_and_loaded_and_their_source_is_read(ask):
    _, error = ask(
        "import inspect, io, pickle, torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def forward(self, X):\n        return X + 1\n"
        "def f(x):\n    return x  # mine\n"
        "again = pickle.loads(pickle.dumps(Net()))\nassert type(again) is Net\n"
        "assert '# mine' in inspect.getsource(f)\n"
        "assert torch.jit.script(Net())(torch.ones(1)) == 2"
    )
    assert not error


def test_the_last_value_is_shown_unless_a_semicolon_hides_it(ask):
    assert texts(ask("x = 3\nx")[0]) == ["3"]
    assert ask("x;")[0] == []
    assert ask("None")[0] == []
    (shown,) = ask("import pandas as pd\npd.DataFrame({'a': [1]})")[0]
    assert "<table" in "".join(shown["data"]["text/html"])


def test_what_the_notebook_itself_offers_is_there_without_jupyter(ask):
    outputs, error = ask(
        "from IPython import display\nfrom matplotlib_inline import backend_inline\n"
        "backend_inline.set_matplotlib_formats('svg')\n"
        "get_ipython().run_line_magic('matplotlib', 'inline')\n"
        "for i in range(5):\n    display.display(i)\n    display.clear_output(wait=True)\n"
        "display.display(display.HTML('<b>b</b>'))"
    )
    assert not error
    (shown,) = outputs
    assert shown["data"]["text/html"] == "<b>b</b>"


def test_the_animator_that_the_second_edition_defines_leaves_its_last_picture(ask):
    outputs, error = ask(
        "from IPython import display\nfrom d2l import torch as d2l\n"
        "fig, axes = d2l.plt.subplots()\n"
        "for i in range(200):\n    axes.cla()\n    axes.plot([0, i])\n"
        "    display.display(fig)\n    display.clear_output(wait=True)\n"
    )
    assert not error
    assert len(outputs) == 1


def test_show_waits_for_nobody_and_begins_a_new_figure(ask):
    outputs, error = ask(
        "from d2l import torch as d2l\n"
        "d2l.plot([1, 2])\nd2l.plt.show()\nd2l.plot([2, 1])\nd2l.plt.show()\n"
        "figure, axes = d2l.plt.subplots()\nfigure.show()"
    )
    assert not error
    assert [sorted(o["data"]) for o in outputs] == [["image/png", "text/plain"]] * 3


def test_an_exit_that_says_all_is_well_is_no_failure(ask):
    assert ask("raise SystemExit(0)") == ([], "")
    assert ask("raise SystemExit(2)")[1] == "line 1: SystemExit: 2"


def test_an_error_names_the_line_of_this_cell(ask):
    ask("def f():\n    return 1 / 0")
    assert ask("x = 1\n\nf()")[1].startswith("line 3: ZeroDivisionError")
    assert ask("def g():\n    return 1 / 0\ng()")[1].startswith("line 2: ZeroDivisionError")
    (told,), error = ask("x = (")
    assert error.startswith("line 1: SyntaxError")
    assert not any("cells.py" in line for line in told["traceback"])
    assert ask("class E(Exception):\n    def __str__(self):\n        raise self\nraise E()")[1]


def test_input_gets_none_and_what_a_child_prints_is_no_answer(ask):
    assert "EOFError" in ask("input('name? ')")[1]
    assert ask("import os, subprocess\nos.write(1, b'noise\\n')\n"
               "subprocess.run(['echo', 'noise'])\n0")[1] == ""  # fmt: skip


def test_a_bar_that_is_drawn_over_itself_is_one_line_and_endless_print_ends():
    said = Said()
    said.write("a\n10%\r50%\r100%\nb\r\n")
    assert said.lines() == ["a\n", "100%\n", "b\n"]
    said = Said()
    for _ in range(3):
        said.write("x" * (MOST // 2))
    assert "only the first" in said.lines()[-1]
    assert len(said.getvalue()) < MOST + 100


def test_what_a_cell_printed_before_it_was_stopped_is_kept_and_so_are_the_names(worker):
    worker.ask(None)
    cells = [Cell("x = 5"), Cell("print('so far')\nwhile True:\n    pass"), Cell("x")]
    done = list(run_with(worker, cells, timeout=3, keep_going=True))
    assert [d.verdict for d in done] == ["ok", "too long", "ok"]
    assert done[1].told.startswith("stopped after 3 s, in line ")
    assert cells[1].outputs[0]["text"] == ["so far\n"]
    assert texts(cells[2].outputs) == ["5"]


def test_one_that_heeds_no_interrupt_is_lost(monkeypatch):
    monkeypatch.setattr("freedive.d2l.running.GRACE", 0.5)
    process = Worker()
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    process.ask("1")  # has begun
    done = list(run_with(process, [Cell(stubborn), Cell("1")], timeout=4, keep_going=True))
    assert [d.verdict for d in done] == ["lost", "not run"]
    assert process.process.poll() is not None


def test_cells_find_their_files_in_their_folder(tmp_path):
    (tmp_path / "prices.csv").write_text("1")
    process = Worker(folder=tmp_path)
    assert texts(process.ask("open('prices.csv').read()")["outputs"]) == ["'1'"]
    process.stop()


@pytest.mark.parametrize(
    ("cell", "left", "passed"),
    [
        ("x = ('%d'\n     % 5)", "x = ('%d'\n     % 5)", []),
        ("s = '''\n!no command\n%nor this\n'''", None, []),
        ("if x:\n    !ls -l\ny", "if x:\n    pass  # !ls -l\ny", ["!ls -l"]),
        ("!pip install a \\\n  b\nx", "pass  # !pip install a \\\n\nx", ["!pip install a b"]),
        ("files = !ls\nlist?\n?list\ntorch.ones??", None,
         ["files = !ls", "list?", "?list", "torch.ones??"]),
        ("%%time\nx = 1", "pass  # %%time\nx = 1", ["%%time"]),
        ("%timeit -n 3 f(x)", "pass  # %timeit -n 3 f(x)", ["%timeit -n 3 f(x)"]),
        ("%%bash\nls | wc", "", ["%%bash"]),
        ("%%writefile a.py\nx = (", "", ["%%writefile"]),
        ("x = 7 %% 2", "x = 7 %% 2", []),  # an error of Python's, which says so itself
    ],
)  # fmt: skip
def test_commands_of_the_notebook_are_told_from_python(cell, left, passed):
    source, skipped = prepared(cell)
    assert skipped == passed
    if left is not None:
        assert source == left
    if not passed:
        assert source == cell


def test_a_cell_without_a_tab_in_the_second_editions_sources_is_mxnets(tmp_path):
    page = tmp_path / "linear.md"
    fence = "```{.python .input}\n%s\n```\n\n"
    page.write_text(fence % "from d2l import mxnet as d2l" + fence % "#@tab pytorch\nx = 1"
                    + fence % "#@tab all\nx" + fence % "#@tab tensorflow\ny")  # fmt: skip
    cells = read_cells(page)
    assert default_tab(cells) == "mxnet"
    process = Worker()
    done = list(run_with(process, cells))
    process.stop()
    assert [d.verdict for d in done] == ["passed over", "ok", "ok", "passed over"]
    assert [d.told for d in done] == ["for mxnet", "", "", "for tensorflow"]


def test_the_first_editions_sources_choose_their_tab(ask):
    assert default_tab([Cell("%%tab mxnet\nx"), Cell("y")]) == "all"
    source, skipped = prepared("%load_ext d2lbook.tab\ntab.interact_select('mxnet', 'pytorch')")
    assert skipped == ["%load_ext d2lbook.tab"]
    assert ask(source)[1] == ""
    assert texts(ask("tab.selected('mxnet'), tab.selected('jax', 'pytorch')")[0]) == [
        "(False, True)"
    ]


def test_a_script_that_nbconvert_made_is_cut_where_it_was(tmp_path):
    path = tmp_path / "old.py"
    path.write_text("#!/usr/bin/env python\n# coding: utf-8\n\n# # Title\n\n# In[1]:\n\n\nx = 1\n"
                    "\n# In[ ]:\n\n\nx\n")  # fmt: skip
    assert [c.source for c in read_cells(path)][1:] == ["x = 1", "x"]


def test_what_a_notebook_holds_besides_is_kept(tmp_path):
    picture = {"a.png": {"image/png": "QUJD"}}
    cells = [{"cell_type": "markdown", "id": "x1", "metadata": {"slide": 1}, "source": "![a](a)",
              "attachments": picture},
             {"cell_type": "raw", "metadata": {}, "source": ["raw"]},
             {"cell_type": "code", "metadata": {}, "source": ["x = 1\n", "x"], "outputs": [7],
              "execution_count": 9}]  # fmt: skip
    old = tmp_path / "old.ipynb"
    old.write_text("\ufeff" + json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    save_notebook(read_cells(old), tmp_path / "new.ipynb")
    text, raw, code = json.loads((tmp_path / "new.ipynb").read_text())["cells"]
    assert (text["id"], text["metadata"], text["attachments"]) == ("x1", {"slide": 1}, picture)
    assert raw["cell_type"] == "raw"
    assert (code["outputs"], code["execution_count"]) == ([], None)  # it has not been run
