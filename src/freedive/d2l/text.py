"""Texts as numbers: The Time Machine, vocabularies, batches of windows (chapters 8 and 9)."""

import collections
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from freedive.core.random import generator
from freedive.d2l.protocol import DataModule
from freedive.data import vocab as house
from freedive.data.codec import letters_only
from freedive.experiment import choose_data, data_class
from freedive.topics.sequences.batches import random_batches, sequential_batches

# numbers in the order of the characters, as in the first edition; a list gives a list (R23)
Vocab = house.Vocab


class VocabByFrequency(house.Vocab):
    """The second edition's: ``<unk>`` is 0, then reserved tokens, then the most frequent."""

    def __init__(
        self,
        tokens: Any = None,
        min_freq: int = 0,
        reserved_tokens: Iterable[str] | None = None,
    ):
        super().__init__(tokens or ())
        first = [house.UNKNOWN, *(reserved_tokens or ())]
        frequent = [t for t, count in self.token_freqs if count >= min_freq and t not in first]
        self._number([*first, *frequent])


@cache
def time_machine() -> str:
    """The book where it is or can be fetched; else tales, and that is said once."""
    from freedive.catalog import find_system

    name, why = choose_data(find_system("rnn-lm"))
    if why and name != "time-machine":
        print(f"d2l: {why}: {name}, told by code, stand in", file=sys.stderr)
    data: Any = data_class(name)()
    return str(data.read())


class TimeMachine(DataModule):
    """Windows of The Time Machine (section 9.2); those to judge by overlap no others (R12)."""

    def __init__(
        self, batch_size: int, num_steps: int, num_train: int = 10000, num_val: int = 5000
    ):
        super().__init__()
        self.save_hyperparameters()
        corpus, self.vocab = self.build(self._download())
        windows = torch.tensor(corpus).unfold(0, num_steps + 1, 1)
        val = windows[num_train + num_steps :][:num_val]
        array = torch.cat([windows[:num_train], val])
        self.X, self.Y = array[:, :-1], array[:, 1:]

    def _download(self) -> str:
        return time_machine()

    def _preprocess(self, text: str) -> str:
        return letters_only(text)

    def _tokenize(self, text: str) -> list[str]:
        return list(text)

    def build(self, raw_text: str, vocab: Any = None) -> tuple[list[int], Any]:
        """The text as numbers, and the vocabulary that numbered it."""
        tokens = self._tokenize(self._preprocess(raw_text))
        vocab = Vocab(tokens) if vocab is None else vocab
        return [vocab[token] for token in tokens], vocab

    def get_dataloader(self, train: bool) -> Any:
        """Batches of windows and of the same one token later."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader([self.X, self.Y], train, rows)


def read_time_machine() -> list[str]:
    """The lines of the book, letters only, in lower case."""
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in time_machine().split("\n")]


def tokenize(lines: Iterable[str], token: str = "word") -> list[list[str]]:
    """Each line as words or as characters."""
    if token not in ("word", "char"):
        raise ValueError(f"token wants word or char, got {token!r}")
    return [line.split() if token == "word" else list(line) for line in lines]


def count_corpus(tokens: Sequence[Any]) -> collections.Counter[str]:
    """How often each token occurs, in a list or in lists."""
    return collections.Counter(house._flat(tokens))


def load_corpus_time_machine(max_tokens: int = -1) -> tuple[list[int], Any]:
    """The characters of the book as numbers, and their vocabulary."""
    tokens = tokenize(read_time_machine(), "char")
    vocab = VocabByFrequency(tokens)
    corpus = [vocab[token] for line in tokens for token in line]
    return corpus[:max_tokens] if max_tokens > 0 else corpus, vocab


def seq_data_iter_random(
    corpus: Sequence[int], batch_size: int, num_steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Windows in random order; no batch is lost."""
    return random_batches(torch.as_tensor(corpus), batch_size, num_steps, chance())


def seq_data_iter_sequential(
    corpus: Sequence[int], batch_size: int, num_steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Windows that go on where the last batch ended; no batch is lost."""
    return sequential_batches(torch.as_tensor(corpus), batch_size, num_steps, chance())


def chance() -> torch.Generator:
    """A generator that follows torch's global seed, and is another each time."""
    return generator(int(torch.randint(2**31, ())))


class SeqDataLoader:
    """Batches of the book, anew each time it is iterated over."""

    def __init__(self, batch_size: int, num_steps: int, use_random_iter: bool, max_tokens: int):
        self.data_iter_fn = seq_data_iter_random if use_random_iter else seq_data_iter_sequential
        self.corpus, self.vocab = load_corpus_time_machine(max_tokens)
        self.batch_size, self.num_steps = batch_size, num_steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.data_iter_fn(self.corpus, self.batch_size, self.num_steps)


def load_data_time_machine(
    batch_size: int, num_steps: int, use_random_iter: bool = False, max_tokens: int = 10000
) -> tuple[SeqDataLoader, Any]:
    """Batches of the book, and its vocabulary."""
    data_iter = SeqDataLoader(batch_size, num_steps, use_random_iter, max_tokens)
    return data_iter, data_iter.vocab


OLDER = {"Vocab": VocabByFrequency}
