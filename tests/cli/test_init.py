"""`freedive train SYSTEM --init RUN`: begin with the weights of another run, where they fit."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import SMALL, Call
from tests.cli.texts import train, write_book
from torch import nn

from freedive.core.checkpoint import load_checkpoint
from freedive.core.errors import UsageError
from freedive.transfer import take_over

SIZES = ("--num-steps", 8, "--num-hiddens", 8, "--num-layers", 1, "--num-heads", 2)
TEXT = ("--num-chars", 3_000, "--num-train", 32, "--num-val", 8)
LABELS = ("train", "bert-classifier", "--data", "misspelt-tales", *TEXT, *SIZES,
          "--max-epochs", 1, "--device", "cpu")  # fmt: skip


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    train(folder, "bert", "--data", "tales", *TEXT, *SIZES)
    return folder / "runs"


@pytest.fixture
def runs(pretrained: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(pretrained, tmp_path / "runs")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / "checkpoints/last.safetensors")["model"]


def test_a_run_begins_with_what_fits_and_says_and_records_it(call: Call, runs: Path) -> None:
    # a step so small that the weights stay what they were
    done = call(*LABELS, "--init", "bert", "--name", "b", "--lr", "1e-12")
    assert (done.code, done.err) == (0, "")
    fit = len([name for name in weights(runs / "bert/a") if name.startswith("encoder.")])
    (line,) = (line for line in done.out.splitlines() if line.startswith("begins with"))
    assert line.startswith(f"begins with {fit} of {fit + 4} parameters from ")
    assert line.endswith("runs/bert/a")
    record = json.loads((runs / "bert-classifier/b/run.json").read_text())["init"]
    assert (record["taken"], record["of"]) == (fit, fit + 4)
    assert record["left"] == ["look.weight", "look.bias", "decide.weight", "decide.bias"]
    best = load_checkpoint(runs / "bert/a/checkpoints/best.safetensors")["model"]
    for name, tensor in weights(runs / "bert-classifier/b").items():
        if name.startswith("encoder."):
            assert torch.allclose(tensor, best[name], atol=1e-9), name


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_with_them_again(
    call: Call, runs: Path
) -> None:
    assert call(*LABELS, "--init", "bert/a", "--name", "b").code == 0
    run = runs / "bert-classifier/b"
    before = weights(run)
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").unlink()
    assert call("resume", "bert-classifier/b").code == 0
    after = weights(run)
    assert all(torch.equal(before[name], after[name]) for name in before)
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").unlink()
    best = runs / "bert/a/checkpoints/best.safetensors"
    best.unlink()  # the last ones are others, with the optimizer's state
    assert "no longer those that this run began with" in call("resume", "bert-classifier/b").error


def test_an_unknown_run_is_refused(call: Call, runs: Path) -> None:
    done = call(*LABELS, "--init", "bret", "--name", "b")
    assert done.code == 2
    assert "no run in runs is called 'bret'" in done.error
    assert not (runs / "bert-classifier").exists()


def test_weights_of_other_sizes_are_refused(call: Call, runs: Path) -> None:
    done = call(*LABELS, "--init", "bert", "--num-hiddens", 16)
    assert done.code == 2
    assert "none of these weights fits a BERTClassifier" in done.error
    assert "is (29, 8) there and (29, 16) here" in done.error


def test_weights_of_something_else_are_refused(call: Call, runs: Path) -> None:
    done = call("train", "lenet", *SMALL, "--max-epochs", 1, "--init", "bert")
    assert done.code == 2
    assert "none of these weights fits a LeNet: no name is equal" in done.error


def test_another_vocabulary_is_refused(call: Call, runs: Path, tmp_path: Path) -> None:
    book = write_book(tmp_path)
    done = call("train", "bert", "--text", book, *SIZES, "--init", "bert/a")
    assert done.code == 2
    assert "reads texts with another vocabulary than own-text" in done.error


def test_nothing_is_counted_but_parameters_and_buffers_come_along() -> None:
    source, model = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(2))
    source(torch.randn(8, 3))
    taken = take_over(model, source.state_dict())
    assert str(taken) == "4 of 4 parameters"
    assert torch.equal(model[1].running_mean, source[1].running_mean)
    assert torch.equal(model[0].weight, source[0].weight)
    model[0].weight.data.zero_()
    assert source[0].weight.abs().sum() > 0  # a copy, not the same memory


def test_what_is_half_another_shape_is_taken_by_halves_and_nothing_is_an_error() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    source = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    taken = take_over(model, source.state_dict())
    assert taken.names == ("0.weight", "0.bias")
    assert taken.left == ("1.weight", "1.bias")
    with pytest.raises(UsageError, match="no name is equal"):
        take_over(model, {})
    first = model[0].weight.clone()
    with pytest.raises(UsageError, match=r"0\.weight is \(4, 2\) there and \(4, 3\) here"):
        take_over(model, {"0.weight": torch.zeros(4, 2)})
    assert torch.equal(model[0].weight, first)
