"""Old names in a file, with what they are called today."""

import json
from pathlib import Path

from freedive.cli.main import main
from freedive.d2l.notebooks import Cell
from freedive.d2l.porting import ported


def test_each_old_name_is_found_where_it_stands():
    cells = [Cell("text with d2l.plot", code=False),
             Cell("from d2l.torch import Vocab\nx = d2l.reshape(d2l.ones(3), (3, 1))"),
             Cell("%matplotlib inline\nd2l.whatever(d2l.plt)"), Cell("def f(:")]  # fmt: skip
    found = [(s.cell, s.line, s.old, s.modern) for s in ported(cells)]
    assert found == [
        (1, 1, "d2l.Vocab", "freedive.Vocab"),
        (1, 2, "d2l.ones", "torch.ones"),
        (1, 2, "d2l.reshape", "x.reshape(...)"),
        (2, 2, "d2l.plt", "matplotlib.pyplot"),
        (2, 2, "d2l.whatever", "no old name that freedive knows"),
        (3, 1, "", ""),
    ]


def test_the_command_tells_them_as_a_table_and_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("old.py").write_text("from d2l import torch as d2l\nd2l.train_ch3\n")
    assert main(["d2l", "port", "old.py"]) == 0
    assert "1 old names in old.py" in capsys.readouterr().out
    assert main(["d2l", "port", "old.py", "--json"]) == 0
    (name,) = json.loads(capsys.readouterr().out)["names"]
    assert (name["line"], name["old"]) == (2, "d2l.train_ch3")
    assert main(["d2l", "names"]) == 0
    assert "| `train_ch3` | 0.17 |" in capsys.readouterr().out
    assert main(["d2l"]) == 2
    assert "usage: freedive d2l" in capsys.readouterr().out
