"""Training on files of one's own: `--text`, `--pairs`, and `text:FILE`, `pairs:FILE`."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.cli.conftest import SMALL, Call
from tests.cli.texts import BOOK, QUICK, TINY_PAIRS, train, write_book, write_pairs

from freedive.catalog import find_system
from freedive.cli.judging import load
from freedive.data.codec import Codec
from freedive.experiment import Experiment, data_class, lasting_name
from freedive.runs import Run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a language model's run, a translator's, and what they were trained on."""
    folder = tmp_path_factory.mktemp("own")
    train(folder, "rnn-lm", "--text", write_book(folder), "--num-steps", 8)
    train(folder, "seq2seq", "--pairs", write_pairs(folder), *TINY_PAIRS)
    return folder


def record(home: Path, system: str) -> dict[str, object]:
    return Run(home / "runs" / system / "a").record


def test_a_text_file_is_named_in_the_record_by_its_absolute_path(home: Path) -> None:
    kept = record(home, "rnn-lm")
    assert kept["data"] == f"text:{home / 'book.txt'}"
    assert kept["facts"] == {"vocab_size": len(set(BOOK)) + 1, "num_steps": 8}
    assert kept["synthetic"] is False
    assert record(home, "seq2seq")["data"] == f"pairs:{home / 'pairs.tsv'}"


@pytest.mark.parametrize("system", ["rnn-lm", "seq2seq"])
def test_a_run_keeps_its_vocabulary_with_its_digest(home: Path, system: str) -> None:
    content = (home / "runs" / system / "a/text.json").read_bytes()
    assert record(home, system)["assets"] == {"text.json": hashlib.sha256(content).hexdigest()}
    kept = json.loads(content)
    codec = Codec.from_json(kept["source"] if system == "seq2seq" else kept)
    assert codec.vocab.idx_to_token == sorted(codec.vocab.idx_to_token)


def test_the_two_ways_to_name_a_file_are_one(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    arguments = ("rnn-lm", "--num-steps", 8, *QUICK, "--data", "text:./book.txt", "--name", "b")
    assert call("train", *arguments, "--runs-dir", "other").code == 0
    other = Run(home / "other/rnn-lm/b")
    for name in ("data", "data_fingerprint", "model", "data_arguments", "assets"):
        assert other.record[name] == record(home, "rnn-lm")[name]
    weights = [run / "checkpoints/last.safetensors"
               for run in (other.folder, home / "runs/rnn-lm/a")]  # fmt: skip
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize("flags", [("rnn-lm", "--num-steps", 8), ("seq2seq", *TINY_PAIRS)])
def test_a_run_goes_on_from_any_folder_while_its_data_are_the_same(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[object, ...]
) -> None:
    write_book(tmp_path), write_pairs(tmp_path)
    data = "text:book.txt" if flags[0] == "rnn-lm" else "pairs:pairs.tsv"
    assert call("train", *flags, *QUICK, "--data", data, "--name", "a").code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run = tmp_path / "runs" / str(flags[0]) / "a"
    done = call("resume", run, "--max-epochs", 2, "--quiet", "--json")
    assert json.loads(done.out)["epochs"] == 2
    changed = tmp_path / data.partition(":")[2]
    changed.write_text(changed.read_text().replace("the cat", "the mat"))
    assert "are not those that" in call("resume", run, "--max-epochs", 3).error


def test_evaluate_finds_what_training_reported(call: Call, home: Path) -> None:
    for system, data in (("rnn-lm", "text:book.txt"), ("seq2seq", "pairs:pairs.tsv")):
        run = home / "runs" / system / "a"
        best = Run(run).history.best()
        for words in ((), ("--data", data.replace(":", f":{home}/"))):
            judged = json.loads(call("evaluate", run, "--json", *words).out)["metrics"]
            assert judged["val_loss"] == pytest.approx(best["val_loss"], abs=1e-5)
            assert judged["val_ppl"] == pytest.approx(best["val_ppl"], abs=1e-4)


def test_another_text_is_read_with_the_vocabulary_of_the_run(
    call: Call, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("the dog sat. a cat ran! " * 20)  # learnt anew, its tokens had other numbers
    judged = json.loads(call("evaluate", home / "runs/rnn-lm/a", "--data", f"text:{other}",
                             "--json").out)  # fmt: skip
    assert judged["data"] == f"text:{other}"
    run = Run(home / "runs/rnn-lm/a")
    model, _, _ = load(run)
    codec = Codec.from_json(json.loads((run.folder / "text.json").read_text()))
    tail = torch.tensor(codec.encode(other.read_text()[432:]))  # the last tenth of 480
    losses = [
        F.cross_entropy(model.eval()(tail[i : i + 8][None])[0], tail[i + 1 : i + 9])
        for i in range(0, len(tail) - 8, 8)
    ]
    expected = torch.stack(losses).mean().item()
    assert judged["metrics"]["val_loss"] == pytest.approx(expected, abs=1e-5)


def test_other_pairs_are_judged_as_many_as_one_likes(
    call: Call, home: Path, tmp_path: Path
) -> None:
    data = f"pairs:{write_pairs(tmp_path, 'more.tsv')}"
    run = home / "runs/seq2seq/a"
    assert call("evaluate", run, "--data", data, "--num-val", 6).code == 0
    assert "smaller num_train or num_val" in call("evaluate", run, "--data", data).error
    assert "pass --data too" in call("evaluate", run, "--num-val", 6).error


def test_the_size_of_the_vocabulary_is_asked_of_the_data_and_told_to_the_model(
    call: Call, tmp_path: Path
) -> None:
    write_book(tmp_path)
    done = call("train", "rnn-lm", "--text", "book.txt", "--tokenizer", "bpe", "--vocab-size", 25,
                "--num-steps", 4, *QUICK, "--name", "a")  # fmt: skip
    assert done.code == 0, done.err
    kept = Run(tmp_path / "runs/rnn-lm/a").record
    assert kept["data_arguments"]["vocab_size"] == 25
    assert kept["facts"]["vocab_size"] == 25
    assert "vocab_size" not in kept["model"]
    assert Experiment.of(find_system("rnn-lm"), vocab_size=50).model == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b" \n\n ", ["empty"]),
        (b"too short", ["9 tokens", "window takes 33", "num_steps"]),
        (b"caf\xe9 " * 200, ["not UTF-8", "byte 3"]),
        (None, ["does not exist"]),
    ],
)
def test_a_text_that_cannot_be_learnt_from_is_refused_in_one_line(
    call: Call, tmp_path: Path, content: bytes | None, words: list[str]
) -> None:
    if content is not None:
        (tmp_path / "bad.txt").write_bytes(content)
    outcome = call("train", "rnn-lm", "--text", "bad.txt", *QUICK)
    assert outcome.code == 1
    assert all(word in outcome.error for word in words), outcome.error
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"go .\nrun .\n", ["line 1", "a tab"]),
        (b"go .\tva !\nrun .\t\n", ["line 2"]),
        (b"go .\tva !\n", ["0 training", "num_val"]),
        (b"caf\xe9\tcoffee\n", ["not UTF-8"]),
        (None, ["does not exist"]),
    ],
)
def test_pairs_that_cannot_be_learnt_from_are_refused_in_one_line(
    call: Call, tmp_path: Path, content: bytes | None, words: list[str]
) -> None:
    if content is not None:
        (tmp_path / "bad.tsv").write_bytes(content)
    outcome = call("train", "seq2seq", "--pairs", "bad.tsv", *QUICK)
    assert outcome.code == 1
    assert all(word in outcome.error for word in words), outcome.error
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["lenet", "--text", "book.txt"], ["lenet learns from labelled images", "is text"]),
        (["lenet", "--data", "pairs:p.tsv"], ["is sentence pairs", "--data fashion-mnist"]),
        (["rnn-lm", "--pairs", "p.tsv"], ["rnn-lm learns from text"]),
        (["seq2seq", "--text", "book.txt"], ["seq2seq learns from sentence pairs"]),
        (["rnn-lm", "--data", "garments"], ["rnn-lm learns from text"]),
        (["rnn-lm", "--data", "book.txt"], ["text:book.txt", "pairs:book.txt"]),
        (["rnn-lm", "--data", "text:"], ["text: wants a file"]),
        (["rnn-lm", "--text", ""], ["text: wants a file"]),
        (["rnn-lm", "--text", "book.txt", "--data", "tales"], ["--data and --text"]),
        (["rnn-lm", "--text", "book.txt", "--pairs", "p.tsv"], ["--text and --pairs"]),
        (["rnn-lm", "--data", "tales", "--tokenizer", "letter"], ["letter"]),
    ],
)
def test_data_of_another_kind_are_refused_in_one_line(
    call: Call, tmp_path: Path, args: list[str], words: list[str]
) -> None:
    write_book(tmp_path)
    outcome = call("train", *args)
    assert outcome.code == 2
    assert all(word in outcome.error for word in words), outcome.error
    assert not Path("runs").exists()


def test_a_folder_is_no_text(call: Call, tmp_path: Path) -> None:
    for args in (("rnn-lm", "--text"), ("seq2seq", "--pairs")):
        outcome = call("train", *args, tmp_path)
        assert outcome.code == 1
        assert "is a folder" in outcome.error


def test_names_of_data_and_what_they_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    assert data_class("text:no/matter").name == "own-text"
    assert data_class("pairs:x").name == "own-pairs"
    assert data_class("pictures").name == "own-images"
    assert lasting_name("tales") == "tales"
    assert lasting_name("text:a:b.txt") == f"text:{tmp_path / 'a:b.txt'}"
    assert lasting_name("pictures") == str(tmp_path / "pictures")
    assert lasting_name("pairs:~/x") == f"pairs:{Path('~/x').expanduser().resolve()}"


def test_help_and_show_of_a_text_system_want_no_data(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDIVE_DATA", "/nowhere")  # training would tell
    text = call("train", "rnn-lm", "--help").out
    for flag in ("--text", "--pairs", "text:FILE", "--tokenizer", "--vocab-size", "--num-steps"):
        assert flag in text, flag
    assert text.count("--vocab-size") == 1
    shown = call("show", "seq2seq").out
    assert "sizes are those of phrasebook (synthetic)" in shown
    assert "FREEDIVE_DATA" in call("train", "rnn-lm").error


def test_training_tells_the_layers_and_what_to_do_next(call: Call, tmp_path: Path) -> None:
    write_book(tmp_path)
    loud = [word for word in QUICK if word != "--quiet"]
    done = call("train", "gru-lm", "--text", "book.txt", "--num-steps", 8, *loud, "--name", "a")
    first, *rest = done.out.splitlines()
    assert first.startswith(f"gru-lm (concise) on text:{tmp_path / 'book.txt'} · CPU")
    assert f"steps 8 · vocabulary {len(set(BOOK)) + 1}" in first
    assert any("GRU" in line and "8×1×32" in line for line in rest)
    assert any("val_ppl" in line for line in rest)
    assert "next: freedive generate runs/gru-lm/a TEXT" in rest[-1]


def test_the_other_commands_take_text_runs_too(call: Call, home: Path) -> None:
    lm, translator = home / "runs/rnn-lm/a", home / "runs/seq2seq/a"
    assert call("doctor", lm).code == 0
    assert call("compare", "rnn-lm", "--data", f"text:{home / 'book.txt'}").code == 0
    for run in (lm, translator):
        assert "val_ppl" in call("plot", run).out
    assert f"freedive generate {lm}" in call("predict", lm).error
    assert f"freedive translate {translator}" in call("predict", translator).error
    assert "training and" in call("data", "check", f"text:{home / 'book.txt'}").out


def test_a_run_of_pictures_keeps_no_vocabulary(call: Call, tmp_path: Path) -> None:
    call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    run = Run(tmp_path / "runs/softmax-regression/a")
    assert run.record["assets"] == {}
    assert run.record["facts"]["num_outputs"] == 10
    assert not (run.folder / "text.json").exists()
    more = call("evaluate", "softmax-regression/a", "--data", "text:nowhere.txt")
    assert "learns from labelled images" in more.error
