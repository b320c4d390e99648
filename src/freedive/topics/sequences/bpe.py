"""Byte-pair encoding from scratch: join the most frequent pair, again and again (section 9.2.2).

Equal in result to `freedive.data.bpe`, whose library is quick; this one is to be read.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from freedive.data.bpe import WORD, Merge, training_words
from freedive.data.vocab import UNKNOWN


class BytePairs(NamedTuple):
    """What was learnt: the tokens in the order of their numbers, the merges in that of learning."""

    tokens: list[str]
    merges: list[Merge]

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        numbers = {token: number for number, token in enumerate(self.tokens)}
        ranks = {merge: rank for rank, merge in enumerate(self.merges)}
        pieces = [piece for word in WORD.findall(text) for piece in cut(word, ranks)]
        return [numbers.get(piece, numbers[UNKNOWN]) for piece in pieces]

    def decode(self, indices: Sequence[int]) -> str:
        """The text of numbers."""
        return "".join(self.tokens[i] for i in indices)


def train(text: str, vocab_size: int, min_freq: int = 0) -> BytePairs:
    """Learn which pairs to join.

    Args:
        text: to learn from.
        vocab_size: the most tokens, ``<unk>`` and characters among them.
        min_freq: how often a pair must be met to be joined, and a character to be known.
    """
    counted = Counter(training_words(text, vocab_size, min_freq))
    words = {word: list(word) for word in counted}  # each as the tokens it is made of so far
    tokens = [UNKNOWN, *sorted(set().union(*counted))]
    merges: list[Merge] = []
    while len(tokens) < vocab_size:
        pairs: Counter[Merge] = Counter()
        for word, parts in words.items():
            for pair in pairwise(parts):
                pairs[pair] += counted[word]
        if not pairs or max(pairs.values()) < min_freq:
            break
        best = most_frequent(pairs, tokens)
        words = {word: joined(parts, best) for word, parts in words.items()}
        merges.append(best)
        if "".join(best) not in tokens:  # another pair may have made it before
            tokens.append("".join(best))
    return BytePairs(tokens, merges)


def most_frequent(pairs: Counter[Merge], tokens: list[str]) -> Merge:
    """The pair with the highest count; of equals the one whose tokens have the lowest numbers."""
    highest = max(pairs.values())
    ties = [pair for pair, count in pairs.items() if count == highest]
    return min(ties, key=lambda pair: [tokens.index(part) for part in pair])


def joined(parts: list[str], pair: Merge) -> list[str]:
    """The tokens of a word with every such pair made one, from the left."""
    made, i = [], 0
    while i < len(parts):
        step = 2 if tuple(parts[i : i + 2]) == pair else 1
        made.append("".join(parts[i : i + step]))
        i += step
    return made


def cut(word: str, ranks: dict[Merge, int]) -> list[str]:
    """The tokens of a word: the pair that was learnt first is joined first, the leftmost of them.

    The other order matters: with ``ab`` learnt before ``bc``, ``abc`` is ``ab`` and ``c``.
    """
    parts = list(word)
    while True:
        ranked = [(ranks.get(pair, inf), i) for i, pair in enumerate(pairwise(parts))]
        rank, i = min(ranked, default=(inf, 0))
        if rank == inf:
            return parts
        parts[i : i + 2] = ["".join(parts[i : i + 2])]
