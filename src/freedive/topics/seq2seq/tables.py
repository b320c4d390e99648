"""Small languages given by all their conditional probabilities, to try searches on (10.8)."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.seq2seq.decoding import State, Task

BOOK_WORDS = ("A", "B", "C", "<eos>")
# what section 10.8.1 gives: after the words on the left, the probabilities of some others
BOOK_GIVEN = {
    "": {"A": 0.5},
    "A": {"B": 0.4, "C": 0.3},
    "A B": {"C": 0.4},
    "A C": {"B": 0.6},
    "A B C": {"<eos>": 0.6},
    "A C B": {"<eos>": 0.6},
}
Given = Mapping[str, Mapping[str, float]]


class Tables:
    """Languages whose next word depends on all words before: a distribution for each prefix.

    Prefixes are numbered as a tree: 0 is the empty one, and the child of i by word y is iV + y + 1.

    Args:
        probs: a table for each language, with a row for each prefix and a column for each word.
        words: their names; the last one ends a sequence.
    """

    def __init__(self, probs: Float[Tensor, "tables prefixes vocab"], words: Sequence[str]):
        self.probs, self.words = probs, tuple(words)
        self.eos, self.bos = len(words) - 1, len(words)  # <bos> is never told, it has no column

    @classmethod
    def drawn(
        cls, tables: int, num_words: int, max_len: int, sharpness: float, chance: torch.Generator
    ) -> "Tables":
        """Languages at random: softmax of normal logits.

        Args:
            tables: how many.
            num_words: besides ``<eos>``.
            max_len: the longest sequences.
            sharpness: the logits' standard deviation; 0 makes all words equally likely.
            chance: what they are drawn from.
        """
        words = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:num_words], "<eos>"]
        shape = (tables, num_prefixes(len(words), max_len), len(words))
        logits = sharpness * torch.randn(shape, generator=chance, dtype=torch.float64)
        return cls(logits.softmax(dim=-1), words)

    @classmethod
    def given(cls, given: Given, words: Sequence[str] = BOOK_WORDS, max_len: int = 4) -> "Tables":
        """One language from some of its probabilities; what they leave is shared evenly."""
        probs = torch.zeros(1, num_prefixes(len(words), max_len), len(words), dtype=torch.float64)
        table = cls(probs, words)
        for prefix, known in given.items():
            for word, probability in known.items():
                probs[0, table.number(prefix.split()), words.index(word)] = probability
        free = probs == 0
        left = (1 - probs.sum(dim=-1, keepdim=True)) / free.sum(dim=-1, keepdim=True)
        probs += free * left
        return table

    def number(self, prefix: Sequence[str]) -> int:
        """A prefix's number."""
        node = 0
        for word in prefix:
            node = node * len(self.words) + self.words.index(word) + 1
        return node

    def task(self, max_len: int) -> Task:
        """What a search begins with: which language, and the empty prefix."""
        tables = torch.arange(len(self.probs))
        return Task(self.step, (tables, torch.zeros_like(tables)), self.bos, self.eos, max_len)

    def step(self, tokens: Int[Tensor, " rows"], state: State) -> tuple[Tensor, State]:
        """The log-probabilities of the next word, and which prefix the last one has led to."""
        table, node = state
        node = torch.where(tokens == self.bos, node, node * len(self.words) + tokens + 1)
        return self.probs[table, node].log(), (table, node)

    def probability(self, sentence: str, table: int = 0) -> float:
        """Of a sequence of words; one without ``<eos>`` may go on."""
        words = sentence.split()
        rows = [self.number(words[:i]) for i in range(len(words))]
        columns = [self.words.index(word) for word in words]
        return float(self.probs[table, rows, columns].prod())

    def text(self, tokens: Int[Tensor, " steps"] | Sequence[int]) -> str:
        """The words of a sequence, up to its end."""
        words = [self.words[int(token)] for token in tokens]
        return " ".join(words[: words.index("<eos>") + 1] if "<eos>" in words else words)


def num_prefixes(vocab_size: int, max_len: int) -> int:
    """Sequences of fewer than ``max_len`` words: 1 + V + … + V^(max_len − 1).

    Raises:
        UsageError: a table would have more than a million rows.
    """
    number = sum(vocab_size**t for t in range(max_len))
    if number > 1_000_000:
        raise UsageError(
            f"a table of {vocab_size} words and {max_len} steps has more than a million rows: "
            "pass fewer words or steps"
        )
    return number
