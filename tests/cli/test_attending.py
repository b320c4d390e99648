"""`freedive attention`: which words a run's model looks at."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import Call
from tests.cli.test_hard_places import on_a_terminal
from tests.cli.texts import TINY_PAIRS, train, write_book, write_pairs

from freedive.cli.texts import codecs_of, model_alone
from freedive.runs import Run

SENTENCE = "I see the cat."
WORDS = ["i", "see", "the", "cat", ".", "<eos>"]
HEADS = ("--num-hiddens", 16, "--num-heads", 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of models that attend and of two that do not; what they learnt from is gone."""
    folder = tmp_path_factory.mktemp("attending")
    pairs, book = write_pairs(folder), write_book(folder)
    of_pairs = ("--pairs", pairs, "--num-val", 4, "--num-steps", 6)
    train(folder, "transformer", *of_pairs, *HEADS, "--num-blks", 1)
    train(folder, "bahdanau", "--pairs", pairs, *TINY_PAIRS, "--impl", "scratch")
    train(folder, "seq2seq", "--pairs", pairs, *TINY_PAIRS)
    of_text = ("--text", book, "--num-steps", 16, "--num-layers", 2, "--num-train", 64)
    train(folder, "gpt", *of_text, *HEADS)
    of_text = ("--text", book, "--num-steps", 16, "--num-layers", 1, "--num-train", 64)
    train(folder, "bert", *of_text, *HEADS)
    pairs.unlink()
    book.unlink()
    yield folder / "runs"
    shutil.rmtree(folder)


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of them where the command is called."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def found(call: Call, *words: object) -> dict[str, Any]:
    """What the command says as JSON."""
    done = call("attention", *words, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_a_translator_shows_both_sentences_and_what_is_between_them(call: Call, runs: Path) -> None:
    told = found(call, "transformer", SENTENCE)
    assert told["translation"] + "\n" == call("translate", "transformer", SENTENCE).out
    written = ["<bos>", *told["translation"].split()][:6]
    axes = [(WORDS, WORDS), (written, written), (written, WORDS)]
    assert [(a["queries"], a["keys"]) for a in told["attentions"]] == axes
    assert [a["layer"] for a in told["attentions"]] == [1, 2, 3]
    for attention in told["attentions"]:
        weights = torch.tensor(attention["weights"])
        assert weights.shape == (2, len(attention["queries"]), len(attention["keys"]))
        torch.testing.assert_close(
            weights.sum(dim=2), torch.ones(weights.shape[:2]), atol=1e-3, rtol=0
        )
    of_itself = torch.tensor(told["attentions"][1]["weights"])
    assert torch.equal(of_itself, of_itself.tril())
    assert [(row["layer"], row["head"]) for row in told["heads"]] == [
        (layer, head) for layer in (1, 2, 3) for head in (1, 2)
    ]


def test_who_only_reads_shows_where_it_looks(call: Call, runs: Path) -> None:
    told = found(call, "bert", "the cat")
    assert told["translation"] is None
    (read,) = told["attentions"]
    assert read["queries"] == read["keys"] == list("the cat")
    longer = call("attention", "bert", "the cat " * 9)
    assert longer.code == 2
    assert "72" in longer.error
    assert "16" in longer.error


def test_words_that_are_asked_one_by_one_make_one_map_as_the_model_computes_it(
    call: Call, runs: Path
) -> None:
    (told,) = found(call, "bahdanau", SENTENCE)["attentions"]
    run = Run(runs / "bahdanau/a")
    model: Any = model_alone(run, "translate", "best", "cpu")
    source, target = codecs_of(run)
    tokens = torch.tensor([[*source.encode(SENTENCE), source.vocab["<eos>"]]])
    state, rows = model.init_state(tokens, torch.tensor([6])), []
    attention = model.decoder.cross_attention
    for word in told["queries"]:
        keys, _, _, hidden = state
        asked = attention.W_q(hidden.transpose(0, 1)[-1])[:, None]
        rows.append(attention.w_v(torch.tanh(asked + keys))[0, :, 0].softmax(dim=0))
        _, state = model.decoder(torch.tensor([[target.vocab[word]]]), state)
    assert told["keys"] == WORDS
    torch.testing.assert_close(
        torch.tensor(told["weights"][0]), torch.stack(rows), atol=1e-4, rtol=0
    )


def test_a_language_model_shows_its_text_letter_by_letter(call: Call, runs: Path) -> None:
    told = found(call, "gpt", "the cat")
    assert told["translation"] is None
    assert [a["name"].split(".")[:2] for a in told["attentions"]] == [
        ["blocks", "0"],
        ["blocks", "1"],
    ]
    for attention in told["attentions"]:
        assert attention["queries"] == attention["keys"] == list("the cat")
        weights = torch.tensor(attention["weights"])
        assert torch.equal(weights, weights.tril())
        assert weights[:, 0, 0].tolist() == [1.0, 1.0]


def test_the_screen_has_a_map_a_layer_a_table_and_the_name_of_the_picture(
    call: Call, runs: Path
) -> None:
    done = call("attention", "transformer", SENTENCE)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] + "\n" == call("translate", "transformer", SENTENCE).out
    titles = [line for line in lines if line.startswith("layer ")]
    assert [title.partition(" (")[2] for title in titles] == [
        "source × source), mean of 2 heads",
        "target × target), mean of 2 heads",
        "target × source), mean of 2 heads",
    ]
    assert "      i     see   the   cat   .     <eos>" in lines
    assert "of log keys" in done.out
    assert "· < 0.05 < ░" in done.out
    assert lines[-1] == "written: runs/transformer/a/samples/attention-asked.svg"
    assert "\x1b" not in done.out
    picture = (runs / "transformer/a/samples/attention-asked.svg").read_text()
    assert picture.count("<svg") == 1
    again = call("attention", "transformer", SENTENCE)
    assert again.out == done.out
    assert (runs / "transformer/a/samples/attention-asked.svg").read_text() == picture


def test_one_layer_and_one_head_and_a_file_of_ones_own(call: Call, runs: Path) -> None:
    whole = found(call, "transformer", SENTENCE)
    part = found(call, "transformer", SENTENCE, "--layer", 3, "--head", 2, "--out", "a/b.png")
    (only,) = part["attentions"]
    assert only["layer"] == 3
    assert only["weights"] == whole["attentions"][2]["weights"][1:]
    assert part["heads"] == whole["heads"][-1:]
    assert part["file"] == "a/b.png"
    assert Path("a/b.png").read_bytes().startswith(b"\x89PNG")
    done = call("attention", "transformer", SENTENCE, "--layer", 3, "--head", 2)
    assert [line for line in done.out.splitlines() if line.startswith("layer ")] == [
        f"layer 3, {only['name']} (target × source), head 2 of 2"
    ]


def test_on_a_terminal_cells_are_painted(runs: Path, tmp_path: Path) -> None:
    seen = on_a_terminal(tmp_path, "attention", "bahdanau", "I see the zebra.")
    assert "\x1b[48;5;2" in seen
    assert "black is 0, white is 1" in seen
    assert "not known, read as <unk>: 'zebra'" in seen
    assert "one head" in seen


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["transformer", ""], "at least one word, got an empty one"),
        (["transformer"], "at least one word, got an empty one"),
        (["transformer", "a b c d e f"], "a sentence of 6 words and marks is longer than the 5"),
        (["transformer", "go.", "--layer", "4"], "there is no layer 4: this model attends in 3"),
        (["transformer", "go.", "--head", "3"], "there is no head 3: layer 1"),
        (["transformer", "go.", "--layer", "0"], "layer wants a whole number of at least 1, got 0"),
        (["transformer", "go.", "--head", "-1"], "got -1"),
        (["transformer", "go.", "--out", "a.txt"], "ends in .svg, .png, .pdf, got a.txt"),
        (["gpt", " "], "at least one word or letter"),
        (["gpt", "zebra"], "'z'"),
        (["gpt", "the cat sat on a mat"], "20 tokens is longer than the 16 that this model"),
        (["seq2seq", "i see."], "nothing in seq2seq attends: freedive list attention"),
        (["gpt", "the", "--device", "tpu"], "tpu"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    call: Call, runs: Path, words: list[str], told: str
) -> None:
    outcome = call("attention", *words)
    assert outcome.code == 2
    assert told in outcome.error
    assert outcome.out == ""
    assert not list(runs.rglob("attention-asked.svg"))


def test_a_model_of_numbers_reads_no_words(call: Call) -> None:
    call("train", "linear-regression", "--max-epochs", 1, "--name", "a", "--quiet")
    outcome = call("attention", "linear-regression", "the")
    assert outcome.code == 2
    assert "attention wants a run of a model that reads words" in outcome.error
    assert "freedive list transformer" in outcome.error


def test_a_picture_that_cannot_be_written_is_one_line(call: Call, runs: Path) -> None:
    (runs / "file").write_text("")
    outcome = call("attention", "gpt", "the", "--out", "runs/file/a.svg")
    assert outcome.code == 1
    assert "cannot write runs/file/a.svg" in outcome.error
