"""Hard places: a real terminal, two processes, a full disk, edited records."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, Call

from freedive.cli.main import main
from freedive.core.errors import FreediveError
from freedive.runs import Run

RUN = ("train", "softmax-regression", *SMALL, "--max-epochs", 2, "--quiet", "--name")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two runs, a and b, trained once."""
    folder = tmp_path_factory.mktemp("trained")
    for name in "ab":
        words = [*map(str, RUN), name, "--runs-dir", str(folder / "runs")]
        assert main(words) == 0
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of them where the command is called."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def on_a_terminal(folder: Path, *args: str) -> str:
    """What a person sees of a command, colours and all."""
    screen, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "freedive", *args], cwd=folder, stdin=theirs, stdout=theirs,
        stderr=theirs, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(screen, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(screen)
    process.wait(timeout=60)
    return seen.decode()


@pytest.mark.parametrize("flag", [("--lr", "x"), ("--impl", "foo"), ("--max-epochs", "1.5")])
def test_on_a_terminal_too_an_error_is_one_plain_line(
    tmp_path: Path, flag: tuple[str, str]
) -> None:
    seen = on_a_terminal(tmp_path, "train", "mlp", *flag)
    assert len(seen.splitlines()) == 1, seen
    assert seen.startswith("freedive: ")
    assert flag[0] in seen
    assert flag[1] in seen
    assert "\x1b" not in seen


def test_a_terminal_shows_table_curves_and_summary(tmp_path: Path) -> None:
    seen = on_a_terminal(
        tmp_path, "train", "softmax-regression", *SMALL, "--max-epochs", "3", "--name", "a"
    )
    for word in (
        "garments (synthetic)",
        "7,850",
        "train_loss",
        "val_acc",
        "┤",
        "best epoch",
        "next:",
    ):
        assert word in seen, word


def test_two_processes_cannot_have_one_run(call: Call) -> None:
    assert call(*RUN, "a").code == 0
    run = Run(Path("runs/softmax-regression/a"))
    run.claim()
    try:
        assert "running in another process" in call("resume", "softmax-regression/a").error
        with pytest.raises(FreediveError, match="another process"):
            Run(run.folder).claim()
    finally:
        run.release()
    assert call("resume", "softmax-regression/a", "--quiet").code == 0


def test_a_run_without_its_last_checkpoint_is_not_begun_anew(call: Call) -> None:
    assert call(*RUN, "a").code == 0
    folder = Path("runs/softmax-regression/a")
    rows = (folder / "metrics.jsonl").read_text()
    (folder / "checkpoints/last.safetensors").unlink()
    outcome = call("resume", "softmax-regression/a", "--max-epochs", 5)
    assert outcome.code == 1
    assert "no checkpoint" in outcome.error
    assert (folder / "metrics.jsonl").read_text() == rows


def test_fewer_epochs_than_a_run_has_behind_it_are_refused(call: Call) -> None:
    assert call(*RUN, "a").code == 0
    assert "2 epochs behind" in call("resume", "softmax-regression/a", "--max-epochs", 1).error


def test_what_fails_after_training_leaves_a_finished_run(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def full(source: object, target: Path) -> None:
        if "samples" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", full)
    outcome = call(*RUN, "a", "--json")
    assert outcome.code == 1
    assert "finished and saved" in outcome.error
    assert json.loads(outcome.out.splitlines()[-1])["status"] == "finished"
    record = json.loads(Path("runs/softmax-regression/a/run.json").read_text())
    assert record["status"] == "finished"
    assert record["epochs"] == 2


def test_a_record_that_cannot_be_written_leaves_no_folder(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert "disk is full" in call(*RUN, "a").error
    assert call(*RUN, "a").code == 0


def test_names_that_the_locale_cannot_say(command: Call, tmp_path: Path) -> None:
    poor = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LC_ALL": "POSIX"}
    done = command(*RUN, "café", "--json", **poor)
    assert done.code == 0, done.err
    assert (tmp_path / json.loads(done.out)["run"]).name in ("café", "caf\udcc3\udca9")
    assert (tmp_path / "runs/softmax-regression/café/curves.svg").exists()


def test_runs_of_one_name_keep_their_own_curves(call: Call) -> None:
    for system in ("softmax-regression", "mlp"):
        call("train", system, *SMALL, "--max-epochs", 2, "--quiet", "--name", "a")
    call("compare", "softmax-regression/a", "mlp/a", "--out", "both.svg")
    from freedive.cli.looking import curves_of

    runs = [Run(Path(f"runs/{system}/a")) for system in ("softmax-regression", "mlp")]
    assert len(curves_of(runs, "val_acc").series) == 2
    assert all(len(points) == 2 for points in curves_of(runs, "val_acc").series.values())


@pytest.mark.parametrize(
    "change",
    [
        {"status": None}, {"data_fingerprint": 3}, {"model": None}, {"time": []}, {"time": "x"},
        {"seconds": "x"}, {"model": {"depth": 3}}, {"system": "nothing"},
    ],
    ids=str,
)  # fmt: skip
def test_an_edited_record_hides_no_other_run_and_gives_one_line(
    call: Call, runs: Path, change: dict[str, object]
) -> None:
    path = Path("runs/softmax-regression/a/run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    rows = json.loads(call("runs", "--json").out)["runs"]
    assert "runs/softmax-regression/b" in {row["run"] for row in rows}
    outcome = call("evaluate", "runs/softmax-regression/a")
    assert outcome.code == 0 or outcome.error


@pytest.mark.parametrize(
    "line", ["5", "[1]", "null", '{"epoch": "x"}', '{"epoch": 3, "a": "b"}', "é{"]
)
def test_damaged_metrics_end_where_they_are_damaged(call: Call, runs: Path, line: str) -> None:
    path = Path("runs/softmax-regression/a/metrics.jsonl")
    path.write_bytes(path.read_bytes() + line.encode("latin-1") + b"\n")
    assert len(Run(path.parent).history) == 2
    assert call("plot", "softmax-regression/a").code == 0


def test_closed_streams_are_no_reason_to_break(tmp_path: Path) -> None:
    quiet = f"{sys.executable} -m freedive nothing 2>&-"
    assert subprocess.run(quiet, shell=True, cwd=tmp_path).returncode == 2
    closed = f"{sys.executable} -m freedive data list >&-"
    done = subprocess.run(closed, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert not done.stderr


def test_images_that_are_not_square_are_named(call: Call, tmp_path: Path) -> None:
    from PIL import Image

    for split in ("train", "val"):
        for kind in ("a", "b"):
            folder = tmp_path / "own" / split / kind
            folder.mkdir(parents=True)
            for i in range(3):
                Image.new("L", (20, 30), 80 * i).save(folder / f"{i}.png")
    assert call("train", "mlp", "--data", tmp_path / "own", "--max-epochs", 1, "--quiet").code == 0
    assert call("train", "mlp", "--data", "").code == 2


def test_the_weights_of_linear_regressions_law_are_flags(call: Call) -> None:
    done = call("train", "linear-regression", "--w", 1, -2, 3, "--max-epochs", 1, "--name", "a")
    assert done.code == 0, done.err
    found = json.loads(Path("runs/linear-regression/a/samples/parameters.json").read_text())
    assert len(found["w"]) == 3
    assert call("resume", "linear-regression/a", "--max-epochs", 2, "--quiet").code == 0
