"""Which text the labs of this room read: the Time Machine where it is, else its stand-in."""

from typing import Literal

import torch

from freedive.data.text import TextData
from freedive.data.time_machine import Tales, TimeMachine
from freedive.data.tokenizers import Kind
from freedive.data.vocab import Vocab
from freedive.topics.sequences.counts import NGramCounts

TextName = Literal["auto", "time-machine", "tales"]


def has_time_machine() -> bool:
    """Whether the real text is on this machine, in FREEDIVE_DATA or the cache."""
    return TimeMachine.availability(download=False) is not None


def open_text(
    name: TextName = "auto", tokenizer: Kind = "char", vocab_size: int = 100_000, min_freq: int = 0
) -> TextData:
    """A text with its tokens, whole.

    Args:
        name: ``auto`` takes the Time Machine only where no network is needed for it.
        tokenizer: what a token is.
        vocab_size: the most tokens that are told apart.
        min_freq: how often a token must occur in the first nine tenths to be known.
    """
    real = name == "time-machine" or (name == "auto" and has_time_machine())
    kind = TimeMachine if real else Tales
    return kind(num_train=None, tokenizer=tokenizer, vocab_size=vocab_size, min_freq=min_freq)


def origin(data: TextData) -> str:
    """What was read, in a sentence."""
    if data.synthetic:
        return f"Read was {data.label}: a text made by code, not the Time Machine."
    return f"Read was {data.label}."


def counted_words(data: TextData) -> tuple[NGramCounts, Vocab]:
    """Words, bigrams and trigrams of a whole text that is cut into words, however rare."""
    words = data.codec.tokenizer.cut(data.text)
    vocab = Vocab(words)
    return NGramCounts(torch.tensor(vocab[words]), len(vocab), n=3), vocab
