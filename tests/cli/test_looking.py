"""Commands that look: list, show, compare, plot, predict, verify, data; and how fast help comes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import SMALL, Call

from freedive.catalog import find_system, systems

COMMANDS = ("list", "show", "train", "resume", "evaluate", "predict", "compare", "runs", "plot",
            "verify", "data")  # fmt: skip


def test_r02_help_and_import_need_no_torch() -> None:
    code = (
        "import sys, freedive\n"
        "from freedive.cli.main import main\n"
        "main(['--help'])\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'rich', 'tyro', 'IPython'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(f'imported: {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_help_comes_at_once() -> None:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "freedive", "--help"], check=True, capture_output=True
        )
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3  # the least disturbed of five


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(call: Call, name: str) -> None:
    outcome = call(name, "--help")
    assert outcome.code == 0
    assert f"freedive {name}" in outcome.out


def test_list_knows_every_system(call: Call) -> None:
    rows = json.loads(call("list", "--json").out)["systems"]
    assert [row["system"] for row in rows] == [s.id for s in systems()]
    text = call("list").out
    assert all(s.id in text for s in systems())
    assert "mlp" in call("list", "mlp").out


@pytest.mark.parametrize("id", [s.id for s in systems()])
def test_show_tells_layers_settings_and_source(call: Call, id: str) -> None:
    shown = json.loads(call("show", id, "--json").out)
    assert shown["parameters"] == sum(layer["parameters"] for layer in shown["layers"])
    assert "parameters" in call("show", id).out
    assert "class " in call("show", id, "--source").out


def test_show_takes_a_preset_and_the_books_size(call: Call) -> None:
    book, small = (json.loads(call("show", "alexnet", *words, "--json").out)
                   for words in ((), ("--preset", "small")))  # fmt: skip
    assert book["parameters"] == 46_764_746
    assert book["layers"][0]["output_shape"] == [1, 96, 54, 54]
    assert book["settings"]["resize"] == 224
    assert small["parameters"] < 1e6
    assert small["layers"][0]["output_shape"][-2:] == [28, 28]
    text = call("show", "alexnet").out
    assert "46,764,746" in text
    assert "1×96×54×54" in text
    assert "no preset of alexnet" in call("show", "alexnet", "--preset", "smal").error


@pytest.mark.parametrize("id", ["linear-regression", "lstm-lm", "transformer"])
def test_compare_finds_scratch_and_concise_equal(call: Call, id: str) -> None:
    data = find_system(id).data
    arguments = ("--data", getattr(data, "standin", None) or data.name)
    if "small" in find_system(id).presets:
        arguments += ("--preset", "small")
    found = json.loads(call("compare", id, *arguments, "--json").out)
    assert found["agree"]
    assert found["outputs"] < 1e-4
    assert found["gradients"] < 1e-4


def test_compare_and_plot_draw_the_curves_of_runs(call: Call, tmp_path: Path) -> None:
    for name, lr in (("a", 0.1), ("b", 0.01)):
        call("train", "softmax-regression", *SMALL, "--max-epochs", 2, "--lr", lr, "--name", name,
             "--quiet")  # fmt: skip
    runs = ("softmax-regression/a", "softmax-regression/b")
    rows = json.loads(call("compare", *runs, "--json").out)["runs"]
    assert [Path(row["run"]).name for row in rows] == ["a", "b"]
    assert call("compare", *runs, "--out", "both.svg").code == 0
    assert "<svg" in (tmp_path / "both.svg").read_text()
    assert call("plot", runs[0], "--metric", "val_acc", "--out", "one.png").code == 0
    assert Image.open(tmp_path / "one.png").size[0] > 100
    assert "val_acc" in call("plot", runs[0], "--metric", "val_ac").error


def test_predict_takes_pictures_and_examples(call: Call, tmp_path: Path) -> None:
    call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    Image.new("RGB", (57, 31), (200, 10, 10)).save(tmp_path / "ein Bild.png")
    found = json.loads(
        call("predict", "softmax-regression/a", "ein Bild.png", "--json", "--top", 10).out
    )
    (row,) = found["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    rows = json.loads(call("predict", "softmax-regression/a", "--examples", 5, "--json").out)
    assert len(rows["predictions"]) == 5
    assert all("truth" in row for row in rows["predictions"])


def test_verify_reports_each_claim_with_its_figure(call: Call) -> None:
    found = json.loads(call("verify", "5.2", "--json").out)
    assert found["checked"] == len(found["claims"]) > 0
    assert found["failed"] == 0
    assert all("measured" in row and row["sources"] for row in found["claims"])


def test_data_lists_and_checks(call: Call) -> None:
    rows = json.loads(call("data", "list", "--json").out)["data"]
    assert {"fashion-mnist", "garments", "synthetic-regression"} <= {row["data"] for row in rows}
    row = json.loads(call("data", "check", "synthetic-regression", "--json").out)
    assert (row["train"], row["val"]) == (1000, 1000)
