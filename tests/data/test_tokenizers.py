"""Characters, words, and what stands between spaces, as tokens."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freedive.core.errors import DataError
from freedive.data.tokenizers import (
    CharTokenizer,
    SpaceTokenizer,
    Tokenizer,
    WordTokenizer,
    from_json,
    tokenizer_class,
)
from freedive.data.vocab import UNKNOWN

TEXT = "Well, I don't know: it's twenty-one (or two)!"
CLASSES = {"char": CharTokenizer, "word": WordTokenizer, "space": SpaceTokenizer}
plain_words = st.lists(st.text("abcé", min_size=1, max_size=4), max_size=8)


def test_a_text_is_cut_where_it_should_be():
    assert CharTokenizer.cut("ab c") == ["a", "b", " ", "c"]
    assert WordTokenizer.cut(TEXT) == ["Well", ",", "I", "don't", "know", ":", "it's",
                                       "twenty-one", "(", "or", "two", ")", "!"]  # fmt: skip
    assert WordTokenizer.cut("<bos> a_1 <b c>") == ["<bos>", "a_1", "<", "b", "c", ">"]
    assert SpaceTokenizer.cut(" go ,  then\n. ") == ["go", ",", "then", "."]
    assert [kind.cut("") for kind in CLASSES.values()] == [[], [], []]


@given(st.text(max_size=40))
def test_characters_come_back_exactly(text):
    tokenizer = CharTokenizer.trained(text, vocab_size=1000)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(plain_words)
def test_words_with_one_space_between_come_back(words):
    text = " ".join(words)
    for kind in (WordTokenizer, SpaceTokenizer):
        tokenizer = kind.trained(text, vocab_size=1000)
        assert tokenizer.encode(text) == tokenizer.vocab[words]
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_marks_that_close_stand_without_a_space():
    text = "Well, yes: he knew; go! (so) [it] ends."
    tokenizer = WordTokenizer.trained(text, vocab_size=100)
    assert tokenizer.decode(tokenizer.encode(text)) == "Well, yes: he knew; go! ( so) [ it] ends."
    spaced = SpaceTokenizer.trained("go .", vocab_size=100)
    assert spaced.decode(spaced.encode("go .")) == "go ."


@pytest.mark.parametrize("kind", CLASSES.values())
def test_what_is_not_known_is_unknown(kind):
    tokenizer = kind.trained("a b", vocab_size=100)
    assert tokenizer.encode("z") == [tokenizer.vocab.unk]
    assert tokenizer.decode(tokenizer.encode("z")) == UNKNOWN
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_the_vocabulary_keeps_to_its_size_and_takes_the_most_frequent():
    text = "b b b a a c"
    for size, known in ((4, "abc"), (3, "ab"), (2, "b"), (1, "")):
        tokenizer = WordTokenizer.trained(text, vocab_size=size)
        assert len(tokenizer.vocab) <= size
        assert [t for t in "abc" if t in tokenizer.vocab] == list(known)
    tied = WordTokenizer.trained("b a", vocab_size=2)
    assert "a" in tied.vocab  # of equals the first in the alphabet
    assert [t for t in "abc" if t in WordTokenizer.trained(text, 100, min_freq=2).vocab] == [
        "a",
        "b",
    ]


@given(st.text(" ab.,", max_size=30), st.integers(0, 12))
def test_the_head_is_a_beginning_of_at_most_so_many_tokens(text, n):
    for kind in CLASSES.values():
        assert text.startswith(kind.head(text, n))
        assert len(kind.cut(kind.head(text, n))) <= n
    for kind in (CharTokenizer, WordTokenizer):
        assert kind.cut(kind.head(text, n)) == kind.cut(text)[:n]


@pytest.mark.parametrize("kind", [*CLASSES, "bpe"])
def test_json_leads_back(kind):
    tokenizer = tokenizer_class(kind).trained(TEXT, vocab_size=50)
    restored = from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert type(restored) is type(tokenizer)
    assert restored.kind == kind
    assert restored.encode(TEXT + " ?") == tokenizer.encode(TEXT + " ?")
    assert restored.to_json() == tokenizer.to_json()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (None, "describes no tokenizer"),
        ([], "describes no tokenizer"),
        ({"kind": "bytes"}, "describes no tokenizer"),
        ({"kind": "char"}, "is damaged .'vocab'.: restore"),
        ({"kind": "word", "vocab": ["a"]}, "a vocabulary wants"),
        ({"kind": "bpe", "vocab": [UNKNOWN]}, "is damaged .'merges'.: restore"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(record, told):
    with pytest.raises(DataError, match=told) as caught:
        from_json(record)
    assert "\n" not in str(caught.value)


def test_the_base_says_what_it_wants():
    with pytest.raises(NotImplementedError, match="Tokenizer wants a cut"):
        Tokenizer.trained("a", 5)
