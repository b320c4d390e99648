"""The vocabulary against a count by hand, and what d2l's got wrong."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freedive.core.errors import DataError, UsageError
from freedive.data.vocab import UNKNOWN, Vocab

LETTERS = Vocab("abc")  # <unk> sorts before the letters


def test_tokens_are_numbered_in_the_order_of_their_characters():
    assert Vocab(["b", " ", "a", "b"]).idx_to_token == [" ", UNKNOWN, "a", "b"]
    assert Vocab("ba") == Vocab("aab")  # however often each occurs
    assert Vocab([["b", "a"], ["a"]]) == Vocab(["a", "b"])
    assert Vocab().idx_to_token == Vocab([]).idx_to_token == [UNKNOWN]


def test_frequencies_fall_and_ties_are_in_the_order_of_characters():
    assert Vocab("cabcabx").token_freqs == [("a", 2), ("b", 2), ("c", 2), ("x", 1)]


@given(st.text(max_size=50), st.integers(0, 4))
def test_what_is_frequent_is_known(text, min_freq):
    vocab, counts = Vocab(text, min_freq), Counter(text)
    assert {t for t in vocab.idx_to_token if t != UNKNOWN} == {
        t for t, n in counts.items() if n >= min_freq
    }
    for i, token in enumerate(vocab.idx_to_token):
        assert vocab[token] == i
        assert vocab.to_tokens(i) == token
    for token in counts:
        assert vocab[token] == vocab.token_to_idx.get(token, vocab.unk)
        assert (token in vocab) is (counts[token] >= min_freq)


def test_reserved_tokens_survive_min_freq():
    vocab = Vocab(["a", "b", "a"], min_freq=2, reserved_tokens=["<pad>", "b", UNKNOWN])
    assert vocab.idx_to_token == ["<pad>", UNKNOWN, "a", "b"]
    assert vocab["b"] != vocab.unk
    assert vocab["c"] == vocab.unk
    assert Vocab("a", 99, iter(["<bos>"])).idx_to_token == ["<bos>", UNKNOWN]


def test_a_list_gives_a_list_and_a_token_a_number():
    assert LETTERS["b"] == 2
    assert LETTERS[["b"]] == [2]
    assert LETTERS[("b", "?")] == [2, 0]
    assert LETTERS[[]] == []
    assert LETTERS[["a", "bc"]] == [1, 0]  # a token of two letters is not known
    assert LETTERS["bc"] == 0


def test_r23_a_list_of_one_number_or_of_none_gives_a_list():
    assert LETTERS.to_tokens([3]) == ["c"]
    assert LETTERS.to_tokens([]) == []
    assert LETTERS.to_tokens(torch.tensor([3])) == ["c"]
    assert LETTERS.to_tokens(torch.tensor([], dtype=torch.long)) == []
    assert LETTERS.to_tokens((1, 2)) == ["a", "b"]
    assert LETTERS.to_tokens(range(4)) == [UNKNOWN, "a", "b", "c"]
    assert LETTERS.to_tokens(list(torch.tensor([1, 3]))) == ["a", "c"]


def test_one_number_gives_one_token():
    assert LETTERS.to_tokens(3) == "c"
    assert LETTERS.to_tokens(torch.tensor(3)) == "c"


def test_equal_vocabularies_are_equal():
    again = Vocab.of([UNKNOWN, "a", "b", "c"])
    assert again == LETTERS
    assert hash(again) == hash(LETTERS)
    assert Vocab.of(["a", UNKNOWN, "b", "c"]) != LETTERS  # other numbers
    assert LETTERS != ["<unk>", "a", "b", "c"]


@given(st.lists(st.text(max_size=4)))
def test_json_leads_back(tokens):
    vocab = Vocab(tokens, reserved_tokens=["<eos>"])
    assert Vocab.from_json(json.loads(json.dumps(vocab.to_json()))) == vocab


@pytest.mark.parametrize(
    "record",
    [None, "abc", {"a": 1}, [], ["a", "b"], [UNKNOWN, "a", "a"], [UNKNOWN, 3], [UNKNOWN, ["a"]]],
)
def test_a_damaged_record_is_refused_in_one_line(record):
    with pytest.raises(DataError, match=r"different tokens with <unk> .* restore") as caught:
        Vocab.from_json(record)
    assert "\n" not in str(caught.value)


def test_a_long_damaged_record_is_shown_in_part():
    with pytest.raises(DataError) as caught:
        Vocab.from_json(["a" * 10_000])
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("index", [-1, 4, np.int64(9), [1, 4], torch.tensor([4])])
def test_a_number_that_no_token_has_is_refused(index):
    with pytest.raises(UsageError, match=r"no token has the number -?\d: .* from 0 to 3"):
        LETTERS.to_tokens(index)


def test_numpys_numbers_are_numbers():
    assert LETTERS.to_tokens(np.int64(0)) == UNKNOWN
    assert LETTERS.to_tokens(np.array([1, 2])) == ["a", "b"]
