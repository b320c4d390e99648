"""`freedive translate`: a run's model translates sentences, or lines as they come."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import SMALL, Call, Outcome
from tests.cli.texts import TINY_PAIRS, train, write_book, write_pairs

from freedive.cli.judging import load
from freedive.data.codec import Codec
from freedive.runs import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator's run; its pairs are gone."""
    folder = tmp_path_factory.mktemp("translator")
    pairs = write_pairs(folder)
    settings = ("--num-hiddens", 32, "--batch-size", 8, "--max-epochs", 8, "--lr", 0.01)
    run = train(folder, "seq2seq", "--pairs", pairs, *TINY_PAIRS, *settings)
    shutil.copy(pairs, run / "pairs.tsv")
    pairs.unlink()
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    copy = tmp_path / "runs/seq2seq/a"
    shutil.copytree(trained, copy)
    return copy


def expected(run: Path, sentence: str) -> str:
    """A greedy translation put together by hand, from logits of the whole sentence so far."""
    record = Run(run).record
    source, target = (
        Codec.from_json(json.loads((run / "text.json").read_text())[side])
        for side in ("source", "target")
    )
    pairs = Path(record["data"].removeprefix("pairs:"))
    shutil.copy(run / "pairs.tsv", pairs)
    model, _, _ = load(Run(run))
    pairs.unlink()
    words = [*source.encode(sentence), source.vocab["<eos>"]]
    written = [target.vocab["<bos>"]]
    while len(written) <= 6 and written[-1] != target.vocab["<eos>"]:
        arguments = ([words], [written], len(words))
        logits: Any = model.eval()(
            *(torch.tensor(a).reshape(1, -1) for a in arguments[:2]), torch.tensor([len(words)])
        )
        logits[..., [target.vocab["<pad>"], target.vocab["<bos>"]]] = -torch.inf
        written.append(int(logits[0, -1].argmax()))
    return target.decode([i for i in written[1:] if i != target.vocab["<eos>"]])


@pytest.fixture
def piped(call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """The command with lines on its standard input."""

    def run(folder: Path, lines: bytes, *words: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8"))
        return call("translate", folder, *words)

    return run


def test_sentences_are_translated_as_the_model_says_step_by_step(call: Call, run: Path) -> None:
    sentences = ["I see the cat.", "they like a house."]
    done = call("translate", run, *sentences)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [expected(run, s) for s in sentences]
    assert call("translate", "seq2seq", *sentences).out == done.out


def test_unknown_words_are_named_once_a_sentence(call: Call, run: Path) -> None:
    done = call("translate", run, "I see zebra zebra.", "you like the dog.", "I eat the cat.")
    assert done.code == 0
    assert len(done.out.splitlines()) == 3
    assert [line.partition(": ")[2] for line in done.err.splitlines()] == [
        "not known, read as <unk>: 'zebra'",
        "not known, read as <unk>: 'eat'",
    ]


def test_json_is_one_object_a_sentence(call: Call, run: Path) -> None:
    done = call("translate", run, "I see zebra.", "you like the dog.", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["source"] for row in rows] == ["I see zebra.", "you like the dog."]
    assert [row["unknown"] for row in rows] == [["zebra"], []]
    assert rows[1]["translation"] == expected(run, "you like the dog.")
    assert done.err == ""


def test_more_beams_find_a_translation_too(call: Call, run: Path) -> None:
    done = call("translate", run, "we want the dog.", "--beam", 3)
    assert done.code == 0
    assert done.out.strip()


def test_each_line_is_answered_before_the_next_one_comes(run: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "freedive", "translate", str(run)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for sentence in ("I see the cat.", "you want a house."):
        process.stdin.write(sentence + "\n")
        process.stdin.flush()
        assert process.stdout.readline().rstrip("\n") == expected(run, sentence)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_lines_that_cannot_be_translated_are_told_by_number_and_passed(
    piped: Callable[..., Outcome], run: Path
) -> None:
    lines = b"I see the cat.\n\na b c d e f g\nI see \xff.\nyou like the dog."
    done = piped(run, lines)
    assert done.code == 1
    answers = done.out.split("\n")
    assert answers[:3] == [expected(run, "I see the cat."), "", ""]
    assert answers[4:] == [expected(run, "you like the dog."), ""]
    told = done.err.splitlines()
    assert told[0].startswith("freedive: line 2: a sentence wants at least one word")
    assert told[1].startswith("freedive: line 3: a sentence of 7 words")
    assert "not known" in told[2]
    assert len(told) == 3
    rows = [json.loads(line) for line in piped(run, lines, "--json").out.splitlines()]
    assert [row["translation"] is None for row in rows] == [False, True, True, False, False]


def test_nothing_on_standard_input_is_no_error(
    piped: Callable[..., Outcome], run: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    done = piped(run, b"")
    assert (done.code, done.out, done.err) == (0, "", "")
    monkeypatch.setattr(sys, "stdin", None)  # closed by whoever called
    done = call("translate", run)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_lines_of_a_file_are_translated(call: Call, run: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("I see the cat.\r\nyou like the dog.\r\n")
    done = call("translate", run, "--file", "lines.txt")
    assert done.out == call("translate", run, "I see the cat.", "you like the dog.").out
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    for name, told in {"bad.txt": "not UTF-8", "none": "does not exist", ".": "a folder"}.items():
        outcome = call("translate", run, "--file", name)
        assert outcome.code == 1
        assert told in outcome.error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "at least one word"),
        (["I see the cat.", " "], "at least one word"),
        (["a b c d e f"], "a sentence of 6 words and marks is longer than the 5"),
        (["go.", "--beam", "0"], "beam wants a whole number of at least 1, got 0"),
        (["go.", "--beam", "-2"], "got -2"),
        (["go.", "--file", "lines.txt"], "sentences or --file, got both"),
        (["go.", "--device", "tpu"], "tpu"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_one_line(
    call: Call, trained: Path, words: list[str], told: str
) -> None:
    outcome = call("translate", trained, *words)
    assert outcome.code == 2
    assert told in outcome.error
    assert outcome.out == ""


def test_vocabularies_of_another_run_do_not_belong_to_the_weights(call: Call, run: Path) -> None:
    path = run / "text.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({"source": kept["target"], "target": kept["source"]}))
    outcome = call("translate", run, "go.")
    assert outcome.code == 1
    assert "vocabulary that does not belong to the weights" in outcome.error


def test_other_models_do_not_translate(call: Call, run: Path, tmp_path: Path) -> None:
    train(tmp_path, "rnn-lm", "--text", write_book(tmp_path), "--num-steps", 8)
    call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    for system in ("rnn-lm", "softmax-regression"):
        outcome = call("translate", system, "go.")
        assert outcome.code == 2
        assert "translate wants a run of a translator" in outcome.error
        assert system in outcome.error
    assert "generate wants a run of a language model" in call("generate", run, "go").error
