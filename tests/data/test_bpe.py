"""Pieces of words as tokens: every text comes back, whatever it is cut into."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freedive.core.errors import DataError
from freedive.data.bpe import WORD, BPETokenizer, training_words
from freedive.data.tokenizers import from_json
from freedive.data.vocab import UNKNOWN

TEXT = "the cat sat on the mat.\n\n  The cat -- that cat!  sat\ton the mat, 12 times; été."
seen = st.text(sorted(set(TEXT)), max_size=40)


@given(st.text(max_size=60))
def test_words_and_spaces_lose_nothing(text):
    assert "".join(WORD.findall(text)) == text


def test_a_word_takes_the_space_before_it():
    assert WORD.findall("a bc  d\n\ne, f 12x") == ["a", " bc", " ", " d", "\n", "\n", "e", ",",
                                                   " f", " 12", "x"]  # fmt: skip
    assert WORD.findall("  ") == ["  "]


@given(st.text(max_size=60), st.integers(1, 60))
def test_the_text_it_was_made_for_comes_back(text, size):
    tokenizer = BPETokenizer.trained(text, vocab_size=size + len(set(text)))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.vocab) <= size + len(set(text))


@given(seen)
def test_any_text_of_seen_characters_comes_back(text):
    tokenizer = BPETokenizer.trained(TEXT, vocab_size=50)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.vocab.unk not in tokenizer.encode(text)
    assert "".join(tokenizer.cut(text)) == text


def test_frequent_neighbours_become_tokens():
    tokenizer = BPETokenizer.trained("low low low lower lowest", vocab_size=12)
    assert tokenizer.vocab.idx_to_token[:9] == [UNKNOWN, " ", "e", "l", "o", "r", "s", "t", "w"]
    assert tokenizer.merges == [("l", "o"), ("lo", "w"), (" ", "low")]  # five times, five, four
    assert tokenizer.cut("low lower") == ["low", " low", "e", "r"]
    assert tokenizer.encode("low lower") == [10, 11, 2, 5]


def test_nothing_is_joined_across_words():
    tokenizer = BPETokenizer.trained("ab ab ab ab\nab", vocab_size=100)
    assert {" ab", "ab"} <= set(tokenizer.vocab.idx_to_token)
    assert not [t for t in tokenizer.vocab.idx_to_token if re.search(r"\w\s", t)]


def test_characters_that_were_not_seen_are_unknown_each_on_its_own():
    tokenizer = BPETokenizer.trained(TEXT, vocab_size=60)
    assert tokenizer.cut("cat zü") == [*tokenizer.cut("cat "), "z", "ü"]
    assert tokenizer.encode("zü") == [tokenizer.vocab.unk] * 2
    assert tokenizer.decode(tokenizer.encode("zü")) == UNKNOWN * 2
    assert tokenizer.cut("ca😀t")[-2:] == ["😀", "t"]


def test_the_name_of_the_unknown_is_a_text_like_others():
    tokenizer = BPETokenizer.trained("<unk> <unk> a", vocab_size=30)
    assert tokenizer.decode(tokenizer.encode("<unk> a")) == "<unk> a"


@given(st.text("ab ", max_size=20), st.integers(1, 12), st.integers(0, 3))
def test_equal_texts_give_equal_tokenizers(text, size, min_freq):
    made = [BPETokenizer.trained(text, size, min_freq).to_json() for _ in range(2)]
    assert made[0] == made[1]


def test_a_pair_must_be_met_often_enough():
    counted = BPETokenizer.trained("ab\nab\nac", vocab_size=100, min_freq=2)
    assert counted.merges == [("a", "b")]
    assert "c" not in counted.vocab  # nor is a character known that is rarer
    assert BPETokenizer.trained("ab\nab\nac", vocab_size=100, min_freq=3).merges == []


def test_a_rare_character_parts_its_neighbours():
    assert list(training_words("aaxb", 100, min_freq=2)) == ["aa", "", ""]
    text = "axb\nayb\nazb\n"  # x, y and z are rare: a and b never meet
    assert list(training_words(text, 100, min_freq=3)) == ["a", "b", "\n"] * 3
    assert BPETokenizer.trained(text, vocab_size=100, min_freq=3).merges == []


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_vocabulary_smaller_than_the_alphabet_keeps_the_most_frequent(size):
    tokenizer = BPETokenizer.trained("bbbaac]^-", vocab_size=size)
    assert tokenizer.vocab.idx_to_token == [UNKNOWN, *sorted("ba"[: size - 1])]
    assert tokenizer.decode(tokenizer.encode("b")) == ("b" if size > 1 else UNKNOWN)


def test_an_empty_text_gives_a_tokenizer_that_knows_nothing():
    tokenizer = BPETokenizer.trained("", vocab_size=10)
    assert tokenizer.encode("") == []
    assert tokenizer.encode("a") == [0]


def test_json_leads_back():
    tokenizer = BPETokenizer.trained(TEXT, vocab_size=50)
    record = json.loads(json.dumps(tokenizer.to_json()))
    restored = from_json(record)
    assert restored.encode(TEXT + "ü") == tokenizer.encode(TEXT + "ü")
    assert restored.merges == tokenizer.merges
    assert restored.to_json() == record


@pytest.mark.parametrize(
    "merges",
    [
        None,
        3,
        "ab",
        [["a"]],
        [["a", "b", "c"]],
        [["a", "q"]],
        [["a", "b"]],
        [[1, 2]],
        [[["a"], "b"]],
    ],
)
def test_merges_that_do_not_fit_are_refused_in_one_line(merges):
    record = {"kind": "bpe", "vocab": [UNKNOWN, "a", "b"], "merges": merges}
    with pytest.raises(DataError, match=r"is damaged .*: restore") as caught:
        from_json(record)
    assert "\n" not in str(caught.value)
