"""`freedive train` and `resume`, as their user meets them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, Call

from freedive.core.checkpoint import load_checkpoint

KEYS = {"run", "system", "impl", "data", "metrics", "best", "epochs", "seconds"}


def test_the_first_command_trains_and_says_on_what(command: Call, tmp_path: Path) -> None:
    done = command("train", "softmax-regression", *SMALL, "--max-epochs", 2, "--name", "first")
    assert done.code == 0, done.err
    first = done.out.splitlines()[0]
    assert "garments (synthetic" in first
    assert "CPU" in first
    assert "seed 0" in first
    assert "7,850" in done.out  # the model's table
    assert "epoch 2/2" in done.out
    assert "\x1b" not in done.out  # no control codes without a terminal
    assert "\r" not in done.out
    left = {str(p.relative_to(tmp_path / "runs/softmax-regression/first"))
            for p in (tmp_path / "runs").rglob("*") if p.is_file()}  # fmt: skip
    assert left == {
        "run.json",
        "metrics.jsonl",
        "curves.svg",
        "checkpoints/last.safetensors",
        "checkpoints/best.safetensors",
        "samples/confusion.json",
        "samples/confusion.svg",
        "samples/wrong.png",
    }


def test_json_is_the_last_line_and_agrees_with_the_run(call: Call, tmp_path: Path) -> None:
    done = call("train", "mlp", *SMALL, "--max-epochs", 3, "--name", "a", "--quiet", "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1  # --quiet: nothing else
    result = json.loads(done.out)
    assert result.keys() >= KEYS
    assert result["system"] == "mlp"
    assert result["impl"] == "concise"
    assert result["data"] == "garments"
    assert result["epochs"] == 3
    rows = [json.loads(r) for r in (tmp_path / result["run"] / "metrics.jsonl").open()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert result["metrics"]["val_acc"] == rows[-1]["val_acc"]
    assert result["best"]["val_acc"] == max(row["val_acc"] for row in rows)
    record = json.loads((tmp_path / result["run"] / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["synthetic"] is True
    assert record["versions"]["torch"]
    assert record["seed"] == 0


def test_evaluate_finds_the_metrics_that_training_reported(call: Call) -> None:
    done = call("train", "mlp", *SMALL, "--max-epochs", 2, "--name", "a", "--quiet", "--json")
    trained = json.loads(done.out)
    judged = json.loads(call("evaluate", "mlp/a", "--json").out)
    for name in ("val_loss", "val_acc"):
        assert judged["metrics"][name] == pytest.approx(trained["best"][name], abs=1e-6)


@pytest.mark.parametrize("impl", ["scratch", "concise"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    call: Call, impl: str, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        arguments = ("--impl", impl, "--max-epochs", 1, "--seed", seed, "--name", name, "--quiet")
        assert call("train", "softmax-regression", *SMALL, *arguments).code == 0
    a, b, c = (
        (tmp_path / f"runs/softmax-regression/{name}/checkpoints/last.safetensors").read_bytes()
        for name in "abc"
    )
    assert a == b
    assert a != c


def test_help_lists_every_argument_of_model_data_and_trainer(command: Call) -> None:
    text = command("train", "mlp", "--help").out
    for flag in ("--lr", "--num-hiddens", "--batch-size", "--resize", "--max-epochs", "--device",
                 "--devices", "--precision", "--accumulate", "--compile", "--seed", "--impl",
                 "--limit-batches", "--gradient-clip-val", "--num-gpus", "--preset", "--data",
                 "--runs-dir", "--name", "--quiet", "--json"):  # fmt: skip
        assert flag in text, flag
    assert "learning rate" in text
    assert "(default: 0.1)" in text


def test_a_preset_changes_defaults_and_a_flag_changes_the_preset(call: Call) -> None:
    common = (*SMALL, "--limit-batches", 1, "--max-epochs", 1, "--quiet", "--preset", "modern")
    call("train", "lenet", *common, "--lr", 0.01, "--name", "a")
    record = json.loads(Path("runs/lenet/a/run.json").read_text())
    assert record["model"]["activation"] == "relu"
    assert record["model"]["lr"] == 0.01


def test_runs_lists_what_was_run(call: Call) -> None:
    call("train", "mlp", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    (row,) = json.loads(call("runs", "--json").out)["runs"]
    assert row["run"] == "runs/mlp/a"
    assert row["status"] == "finished"
    assert "runs/mlp/a" in call("runs").out


def test_resume_of_a_finished_run_with_more_epochs_equals_a_longer_run(
    call: Call, tmp_path: Path
) -> None:
    call("train", "dropout-mlp", *SMALL, "--max-epochs", 3, "--name", "long", "--quiet")
    call("train", "dropout-mlp", *SMALL, "--max-epochs", 1, "--name", "short", "--quiet")
    assert call("resume", "dropout-mlp/short", "--max-epochs", 3, "--quiet").code == 0
    long, short = (
        (tmp_path / f"runs/dropout-mlp/{name}/checkpoints/last.safetensors").read_bytes()
        for name in ("long", "short")
    )
    assert long == short


def spawn(folder: Path, *args: object) -> "subprocess.Popen[str]":
    """A command that is still running."""
    return subprocess.Popen(
        [sys.executable, "-m", "freedive", *map(str, args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: "subprocess.Popen[str]", seconds: float = 60) -> None:
    """Until a file is there."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_save_everything_in_one_line(number: int, tmp_path: Path) -> None:
    process = spawn(tmp_path, "train", "mlp", *SMALL, "--max-epochs", 100000, "--name", "a")
    run = tmp_path / "runs/mlp/a"
    wait_for(run / "checkpoints/last.safetensors", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert "freedive resume runs/mlp/a" in err
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert load_checkpoint(run / "checkpoints/last.safetensors")["counters"]["epoch"] > 0


def test_r34_killed_and_resumed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    train = ("train", "dropout-mlp", *SMALL, "--max-epochs", 60, "--quiet", "--name")
    alone = spawn(tmp_path, *train, "alone")
    alone.communicate(timeout=120)
    assert alone.returncode == 0
    process = spawn(tmp_path, *train, "killed")
    run = tmp_path / "runs/dropout-mlp/killed"
    wait_for(run / "run.json", process)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    resumed = spawn(tmp_path, "resume", run, "--quiet")
    resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    one, other = (
        tmp_path / f"runs/dropout-mlp/{name}/checkpoints/last.safetensors"
        for name in ("alone", "killed")
    )
    assert one.read_bytes() == other.read_bytes()
    rows = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.open()]
        for path in (one.parents[1] / "metrics.jsonl", other.parents[1] / "metrics.jsonl")
    ]
    assert rows[0] == rows[1]


def test_a_run_that_was_killed_is_told_from_one_that_runs(tmp_path: Path, call: Call) -> None:
    process = spawn(tmp_path, "train", "mlp", *SMALL, "--max-epochs", 100000, "--name", "a")
    wait_for(tmp_path / "runs/mlp/a/checkpoints/last.safetensors", process)
    (row,) = json.loads(call("runs", "--json").out)["runs"]
    assert row["status"] == "running"
    assert "is running" in call("resume", "mlp/a").error
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (row,) = json.loads(call("runs", "--json").out)["runs"]
    assert row["status"] == "killed"
