import json
import sys

import pytest
from tests.cli.conftest import SMALL

FILE = """
import torch
from torch import nn

class Healthy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

class InList(nn.Module):
    def __init__(self, width=784):
        super().__init__()
        self.layers = [nn.Flatten(), nn.Linear(width, 10)]
    def forward(self, X):
        for layer in self.layers:
            X = layer(X)
        return X

class Wants(nn.Module):
    def __init__(self, width, depth):
        super().__init__()

class Breaks(nn.Module):
    def __init__(self):
        raise KeyError("two\\nlines")

class Reads(Healthy):
    def forward(self, X):
        raise ValueError("no")

def make():
    return InList()

model = Healthy()
number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_healthy_system_has_no_findings_and_exit_code_0(call):
    done = call("doctor", "linear-regression")
    assert (done.code, done.err) == (0, "")
    assert "0 findings" in done.out
    assert "nothing found" in done.out
    assert call("doctor", "mlp", "--data", "garments", "--impl", "scratch").code == 0
    assert call("doctor", "mlp", "--data", "garments", "--preset", "book").code == 0


def test_a_run_is_examined_with_its_own_data_and_weights(call):
    call("train", "softmax-regression", *SMALL, "--max-epochs", "1", "--name", "one", "--quiet")
    done = call("doctor", "one", "--json")
    assert done.code == 0, done.out
    assert json.loads(done.out) == {"model": "one", "findings": [], "notes": []}
    assert call("doctor", "runs/softmax-regression/one").code == 0


def test_a_class_a_function_or_a_model_in_a_file_is_examined(call, file):
    for name, code in {"Healthy": 0, "model": 0, "InList": 1, "make": 1}.items():
        done = call("doctor", f"{file}:{name}")
        assert done.code == code, done.err
        assert ("hidden-parameters in layers: 7850 numbers" in done.out) is bool(code)
        assert "without data only the structure" in done.out
        assert done.err == ""
    assert str(file.parent) not in sys.path


def test_json_holds_every_field_of_a_finding(call, file):
    done = call("doctor", f"{file}:InList", "--json")
    (finding,) = json.loads(done.out)["findings"]
    assert finding["ailment"] == "hidden-parameters"
    assert finding["measured"] == 7850
    assert finding["write"] == "self.layers = nn.ModuleList(layers)"
    assert set(finding) == {"ailment", "where", "measured", "unit", "why", "write", "section"}


def test_a_file_can_be_examined_on_a_data_set(call, file):
    done = call("doctor", f"{file}:Healthy", "--data", "garments")
    assert done.code == 0
    assert "without a loss nothing was trained" in done.out
    broken = call("doctor", f"{file}:Reads", "--data", "garments")
    assert broken.code == 1
    assert "Reads raised ValueError" in broken.out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Helthy", "did you mean 'Healthy'"),
        ("Wants", "wants the arguments width, depth"),
        ("Breaks", "Breaks() raised KeyError"),
        ("number", "no nn.Module, but a int"),
        ("torch", "no nn.Module, but a module"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(call, file, name, told):
    done = call("doctor", f"{file}:{name}")
    assert done.code in (1, 2)
    assert told in done.error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import does_not_exist", "ModuleNotFoundError"),
        ("class A(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("\x00", "cannot be imported"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_file_that_does_not_import_is_told_in_one_line(call, tmp_path, text, told):
    (tmp_path / "bad.py").write_text(text)
    done = call("doctor", f"{tmp_path / 'bad.py'}:A")
    assert done.code == 1
    assert told in done.error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.py:A"], "there is no file nowhere.py"),
        (["mine.py"], "mine.py:ClassName"),
        (["lennet"], "did you mean 'lenet'"),
        (["lenet", "--impl", "both"], "--impl"),
        (["lenet", "--preset", "none"], "preset of lenet"),
        (["mine.py:A", "--impl", "scratch"], "--impl and --preset are a system's"),
        (["mlp", "--data", "synthetic-regression"], "learns from"),
        (["mlp", "--data", "nothing"], "nothing"),
        ([], "required"),
    ],
)
def test_wrong_words_are_refused_in_one_line(call, words, told):
    done = call("doctor", *words)
    assert done.code == 2
    assert told in done.error
