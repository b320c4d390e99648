"""`freedive generate`: a run's language model goes on with a prompt."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import SMALL, Call
from tests.cli.test_hard_places import on_a_terminal
from tests.cli.texts import BOOK, train, write_book

from freedive.cli.generating import growing
from freedive.core.checkpoint import load_checkpoint
from freedive.data.codec import Codec
from freedive.data.tokenizers import tokenizer_class
from freedive.experiment import Experiment
from freedive.runs import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model's run, whose text is gone."""
    folder = tmp_path_factory.mktemp("lm")
    book = write_book(folder)
    run = train(folder, "rnn-lm", "--text", book, "--num-steps", 8)
    book.unlink()
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    copy = tmp_path / "runs/rnn-lm/a"
    shutil.copytree(trained, copy)
    return copy


def expected(run: Path, prompt: str, num_tokens: int) -> str:
    """The likeliest text, put together by hand: each token is read off the whole text so far."""
    experiment = Experiment.from_json(Run(run).record)
    model: Any = experiment.entry.model(experiment.form)(vocab_size=len(set(BOOK)) + 1)
    model.load_state_dict(load_checkpoint(run / "checkpoints/best.safetensors")["model"])
    codec = Codec.from_json(json.loads((run / "text.json").read_text()))
    tokens = codec.encode(prompt)
    for _ in range(num_tokens):
        tokens.append(int(model.eval()(torch.tensor([tokens]))[0, -1].argmax()))
    return codec.decode(tokens)


def test_the_likeliest_text_is_what_the_model_says_step_by_step(call: Call, run: Path) -> None:
    done = call("generate", run, "the cat ", "--num-tokens", 12, "--temperature", 0)
    assert (done.code, done.err) == (0, "")
    assert done.out == expected(run, "the cat ", 12) + "\n"


def test_a_seed_gives_one_text_and_another_seed_another(call: Call, run: Path) -> None:
    texts = [call("generate", "rnn-lm", "the ", "--seed", seed).out for seed in (3, 3, 4)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert all(text.startswith("the ") and len(text) >= 204 for text in texts)


def test_top_k_of_one_and_a_small_share_are_greedy(call: Call, run: Path) -> None:
    greedy = call("generate", run, "a", "--temperature", 0).out
    assert call("generate", run, "a", "--top-k", 1).out == greedy
    assert call("generate", run, "a", "--top-p", 1e-6).out == greedy
    assert call("generate", run, "a", "--temperature", 1e-4).out == greedy


def test_json_holds_text_and_settings(call: Call, run: Path) -> None:
    done = call("generate", run, "the dog", "--num-tokens", 5, "--top-k", 3, "--json")
    found = json.loads(done.out)
    assert found["prompt"] == "the dog"
    assert found["text"] + "\n" == call("generate", run, "the dog", "--num-tokens", 5,
                                        "--top-k", 3).out  # fmt: skip
    assert (found["num_tokens"], found["top_k"], found["temperature"]) == (5, 3, 1.0)
    assert found["data"].startswith("text:/")


def test_the_text_is_printed_while_it_is_made(run: Path) -> None:
    words = ["generate", str(run), "the cat ", "--num-tokens", "100000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "freedive", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(40).startswith(b"the cat ")
    process.stdout.close()  # whoever read has seen enough
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


def test_on_a_terminal_it_says_what_the_model_was_trained_on(run: Path, tmp_path: Path) -> None:
    Run(run).update(synthetic=True, data="tales")
    seen = on_a_terminal(tmp_path, "generate", "rnn-lm", "the cat", "--num-tokens", "5")
    first, text = seen.splitlines()
    assert first == "runs/rnn-lm/a, trained on tales (synthetic)"
    assert text.startswith("the cat")


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_the_pieces_make_the_text_whatever_the_tokens_are(kind: str) -> None:
    text = "Well, she said (he was near): go on! Don't wait... it's 5 o'clock.\nYes?"
    codec = Codec("as it is", tokenizer_class(kind).trained(text * 9, 60))
    tokens = codec.encode(text)
    for cut in range(1, len(tokens)):
        pieces = list(growing(codec, tokens[:cut], iter(tokens[cut:])))
        assert "".join(pieces) == codec.decode(tokens)
        assert len(pieces) == 1 + len(tokens) - cut


def test_words_are_joined_as_people_write_them(call: Call, tmp_path: Path) -> None:
    train(tmp_path, "rnn-lm", "--text", write_book(tmp_path), "--tokenizer", "word",
          "--num-steps", 4)  # fmt: skip
    text = call("generate", "rnn-lm", "The cat".lower(), "--num-tokens", 60).out
    assert text.startswith("the cat ")
    assert " ." not in text
    assert "  " not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["the", "--num-tokens", "0"], "num_tokens wants a whole number of at least 1, got 0"),
        (["the", "--num-tokens", "-3"], "got -3"),
        (["the", "--num-tokens", "1.5"], "--num-tokens wants a whole number"),
        (["the", "--temperature", "-1"], "temperature wants a number of at least 0"),
        (["the", "--temperature", "inf"], "temperature"),
        (["the", "--top-p", "0"], "top_p wants a number above 0 to 1"),
        (["the", "--top-p", "1.1"], "top_p"),
        (["the", "--top-k", "-1"], "top_k wants a whole number of at least 0"),
        (["the", "--seed", "-1"], "seed"),
        (["the", "--device", "tpu"], "tpu"),
        (["the", "--checkpoint", "worst"], "worst"),
        ([], "a prompt wants at least one word or letter"),
        ([""], "a prompt wants at least one word or letter"),
        (["  "], "a prompt wants at least one word or letter"),
        (["the zebra"], "'z'"),
        (["été"], "'é'"),
        (["the", "cat"], "no use for 'cat'"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_in_one_line(
    call: Call, trained: Path, words: list[str], told: str
) -> None:
    outcome = call("generate", trained, *words)
    assert outcome.code == 2
    assert told in outcome.error
    assert outcome.out == ""


def exchanged(kept: dict[str, Any]) -> dict[str, Any]:
    """The same tokens with other numbers."""
    vocab = kept["tokenizer"]["vocab"]
    return {**kept, "tokenizer": {**kept["tokenizer"], "vocab": vocab[::-1]}}


def shortened(kept: dict[str, Any]) -> dict[str, Any]:
    """A vocabulary without its last token."""
    vocab = kept["tokenizer"]["vocab"]
    return {**kept, "tokenizer": {**kept["tokenizer"], "vocab": vocab[:-1]}}


@pytest.mark.parametrize("change", [exchanged, shortened])
def test_another_vocabulary_does_not_belong_to_the_weights(
    call: Call, run: Path, change: Any
) -> None:
    path = run / "text.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    for command in (("generate", run, "the"), ("evaluate", run)):
        outcome = call(*command)
        assert outcome.code == 1
        assert "vocabulary that does not belong to the weights" in outcome.error


def test_nor_does_one_of_another_length_that_the_record_vouches_for(call: Call, run: Path) -> None:
    path, record = run / "text.json", Run(run).record
    path.write_text(json.dumps(shortened(json.loads(path.read_text()))))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Run(run).write({**record, "assets": {"text.json": digest}})
    outcome = call("generate", run, "the")
    assert "vocabulary that does not belong to the weights" in outcome.error
    assert f"{len(set(BOOK))} tokens, they have {len(set(BOOK)) + 1}" in outcome.error


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"assets": None}, "begun without text.json"),
        ({"assets": {}}, "begun without text.json"),
        ({"facts": None}, "does not say what its model is made of"),
        ({"facts": {}}, "another model's"),
        ({"facts": {"vocab_size": 3}}, "another model's"),
    ],
)
def test_a_record_without_what_is_needed_says_so_in_one_line(
    call: Call, run: Path, change: dict[str, Any], told: str
) -> None:
    Run(run).update(**change)
    outcome = call("generate", run, "the")
    assert outcome.code == 1
    assert told in outcome.error


def test_a_vocabulary_that_is_gone_is_told(call: Call, run: Path) -> None:
    (run / "text.json").unlink()
    assert "text.json cannot be read" in call("generate", run, "the").error
    shutil.rmtree(run / "checkpoints")
    assert "no checkpoint" in call("generate", run, "the").error


def test_a_model_of_pictures_writes_nothing(call: Call) -> None:
    call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    outcome = call("generate", "softmax-regression", "the")
    assert outcome.code == 2
    assert "generate wants a run of a language model" in outcome.error
    assert "softmax-regression" in outcome.error
    assert "freedive list" in outcome.error


def test_help_says_what_each_setting_does(call: Call) -> None:
    text = call("generate", "--help").out
    for flag in ("--num-tokens", "--temperature", "--top-k", "--top-p", "--seed", "--checkpoint",
                 "--device", "--json"):  # fmt: skip
        assert flag in text, flag
