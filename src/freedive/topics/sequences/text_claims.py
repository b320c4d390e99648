"""What the book says about texts, tokens and how often they occur, as checks (section 9.2).

What needs the Time Machine is measured on it where it is on this machine, and the same statement
on the tales that stand in for it where it is not.
"""

from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any

import torch

from freedive.catalog import claim, erratum
from freedive.data.codec import letters_only
from freedive.data.time_machine import TimeMachine
from freedive.data.tokenizers import CharTokenizer
from freedive.data.vocab import Vocab
from freedive.topics.sequences.statistics import frequencies, most_frequent, zipf_fit
from freedive.topics.sequences.texts import counted_words, open_text

Evidence = Iterator[tuple[Any, ...]]

BEGINNING = """The Time Machine, by H. G. Wells [1898]




I


The Time Traveller (for so it will be convenient to speak of him)
"""
PREFIX = "the time machine by h g wells i the time traveller for so it"
# as the book prints them
WORDS = {"the": 2261, "i": 1267, "and": 1245, "of": 1155, "a": 816, "to": 695, "was": 552,
         "in": 541, "that": 443, "my": 440}  # fmt: skip
BIGRAMS = {"of the": 309, "in the": 169, "i had": 130, "i was": 112, "and the": 109,
           "the time": 102, "it was": 99, "to the": 85, "as i": 78, "of a": 73}  # fmt: skip
STOP_WORDS = {*WORDS, "he", "she", "it", "for", "had", "with", "his", "her", "as", "at"}


def alphabet() -> Vocab:
    """The characters of a cleaned English text."""
    return Vocab(ascii_lowercase + " ")


@claim("9.2.1", "cleaning leaves lower-case letters, and one space for all between them",
       "002b C36")  # fmt: skip
def cleaned() -> Evidence:
    """The book's beginning, as it stands in the file."""
    yield letters_only(BEGINNING)[:60], PREFIX


@claim("9.2.2", "the tokens of a text are its characters, in their order", "002b C36")
def characters() -> Evidence:
    """The first thirty that the book prints."""
    printed = "t,h,e, ,t,i,m,e, ,m,a,c,h,i,n,e, ,b,y, ,h, ,g, ,w,e,l,l,s, "
    yield ",".join(CharTokenizer.cut(PREFIX)[:30]), printed


@claim(
    "9.2.3",
    "26 letters, a space and <unk> are 28 tokens: the space is 0, <unk> is 1",
    ("002b C36", "001_003_004 C77"),
)
def numbers() -> Evidence:
    """The ten indices that the book prints, there and back."""
    vocab, printed = alphabet(), [21, 9, 6, 0, 21, 10, 14, 6, 0, 14]
    yield len(vocab), 28
    yield [vocab[" "], vocab.unk], [0, 1]
    yield vocab[list(PREFIX[:10])], printed
    yield "".join(vocab.to_tokens(printed)), "the time m"


@claim(
    "9.2.3",
    "a vocabulary's numbers lead back to its tokens, and unknown tokens to <unk>",
    ("002b C38", "001_003_004 C77"),
)
def there_and_back() -> Evidence:
    """Every number; a token that is too rare; frequencies that fall."""
    vocab = Vocab([["a", "b", "a"], ["c", "a", "b"]], min_freq=2, reserved_tokens=["<pad>"])
    for i in range(len(vocab)):
        yield vocab[vocab.to_tokens(i)], i
    yield vocab["c"], vocab.unk
    yield [count for _, count in vocab.token_freqs], [3, 2, 1]
    yield " ".join(sorted(vocab.idx_to_token)), "<pad> <unk> a b"


@erratum(
    "9.2.3",
    "to_tokens gives a list for every list, also for one of one number or of none",
    printed="if len(indices) > 1: …; return self.idx_to_token[indices], which raises for [3]",
    source=("002b E27", "REGRESSIONS R23"),
)
def lists_give_lists() -> Evidence:
    """Beside the printed program."""
    vocab = alphabet()

    def as_printed(indices: Any) -> Any:
        if hasattr(indices, "__len__") and len(indices) > 1:
            return [vocab.idx_to_token[int(index)] for index in indices]
        return vocab.idx_to_token[indices]

    for indices, expected in (([3], ["b"]), ([], []), (torch.tensor([3]), ["b"])):
        yield repr(vocab.to_tokens(indices)), repr(expected)
        try:
            told = repr(as_printed(indices))
        except TypeError:
            told = "TypeError"
        yield told == repr(expected), False


@claim(
    "9.2.5",
    "the most frequent words are stop words: ten of them make up a quarter of the text",
    ("000 C57", "002b C37"),
)
def stop_words() -> Evidence:
    """With the real text: its size, and the printed counts of ten words and ten bigrams."""
    data = open_text("auto", "word")
    counts, vocab = counted_words(data)
    top = dict(most_frequent(counts, 1, vocab, 10))
    yield len(top.keys() - STOP_WORDS), 0
    yield sum(top.values()) / int(counts.counts[0].sum()), (0.2, 0.4)
    if isinstance(data, TimeMachine):
        yield [len(data.text), len(Vocab(data.text))], [173428, 28]
        yield list(top.values()), list(WORDS.values())
        yield " ".join(top), " ".join(WORDS)
        yield dict(most_frequent(counts, 2, vocab, 10)) == BIGRAMS, True


@claim(
    "9.2.5",
    "the frequencies of bigrams and trigrams fall as a power of the rank too, and less steeply",
    "002b section 9.2",
)
def runs_of_words() -> Evidence:
    """Slopes between rank 10 and 1000 on a double logarithmic scale, and how straight that is."""
    counts, _ = counted_words(open_text("auto", "word"))
    fits = [zipf_fit(frequencies(counts, k), 10, 1000) for k in (1, 2, 3)]
    slopes = [alpha for alpha, _ in fits]
    yield slopes[0] > slopes[1] > slopes[2] > 0, True
    for _, straight in fits:
        yield straight, (0.8, 1.0)


@erratum(
    "9.2.5",
    "the ten most frequent words fall with a slope of 0.72, those behind them with more than 1",
    printed="ten counts beside the law n ∝ 1/i^α, as if they showed its α",
    source="000 C58",
)
def slope_of_the_head() -> Evidence:
    """The ten printed counts; then the ranks from 10 to 1000 of a whole text."""
    alpha, straight = zipf_fit(torch.tensor(list(WORDS.values())))
    yield alpha, 0.72, 0.005
    yield straight, 0.948, 0.0005
    counts, _ = counted_words(open_text("auto", "word"))
    yield zipf_fit(frequencies(counts, 1), 10, 1000)[0], (1.0, 1.6)
