"""How often each n tokens in a row occur in a text (sections 9.2.5 and 9.3.1)."""

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError


class NGramCounts:
    """All runs of up to n tokens, as a tree: a run is a shorter one and the token that follows.

    On each level a run has a number of its own, from 0 without gaps, so that run and next token
    fit in one whole number however long the run is.

    Args:
        tokens: the text.
        vocab_size: m, how many tokens are told apart.
        n: the longest runs.

    Raises:
        UsageError: the text is shorter than n, or has tokens that are not below m.
    """

    def __init__(self, tokens: Int[Tensor, " tokens"], vocab_size: int, n: int):
        if not 1 <= n <= len(tokens):
            raise UsageError(
                f"runs of n tokens want n from 1 to the {len(tokens)} of the text, got {n}"
            )
        refuse_unknown(tokens, vocab_size)
        self.vocab_size, self.n = vocab_size, n
        self.keys: list[Int[Tensor, " runs"]] = []  # (number of the shorter run) × m + last token
        self.counts: list[Int[Tensor, " runs"]] = []
        shorter = torch.zeros_like(tokens)  # number of the run that begins at each token
        for k in range(n):
            keys = shorter[: len(tokens) - k] * vocab_size + tokens[k:]
            found, numbers, counts = keys.unique(return_inverse=True, return_counts=True)
            self.keys.append(found)
            self.counts.append(counts)
            shorter = numbers[:-1]

    def runs(self, k: int) -> Int[Tensor, "runs k"]:
        """All runs of k tokens, in the order of `counts`."""
        if k == 0:
            return torch.empty(1, 0, dtype=torch.long)
        last = self.keys[k - 1] % self.vocab_size
        return torch.cat([self.runs(k - 1)[self.shorter(k)], last[:, None]], dim=1)

    def shorter(self, k: int) -> Int[Tensor, " runs"]:
        """The number of each k-run without its last token, among the (k − 1)-runs."""
        return self.keys[k - 1] // self.vocab_size

    def num_runs(self, k: int) -> int:
        """How many different runs of k tokens there are."""
        return len(self.keys[k - 1]) if k else 1

    @cached_property
    def followed(self) -> list[Int[Tensor, " runs"]]:
        """For k from 0: how often each k-run has a next token, once less for the last run.

        It is Σ_x′ n(x, x′): what a conditional probability must be divided by to sum to one.
        """
        return [
            torch.bincount(self.shorter(k + 1), self.counts[k].double(), self.num_runs(k)).long()
            for k in range(self.n)
        ]

    @cached_property
    def distinct(self) -> list[Int[Tensor, " runs"]]:
        """For k from 0: how many different tokens follow each k-run."""
        return [
            torch.bincount(self.shorter(k + 1), minlength=self.num_runs(k)) for k in range(self.n)
        ]

    def find(
        self, rows: Int[Tensor, "rows k"]
    ) -> tuple[Int[Tensor, " rows"], Int[Tensor, " rows"]]:
        """The number of each row's run without its last token, and that of the whole run.

        They are −1 where a run does not occur.

        Raises:
            UsageError: some tokens are not below m.
        """
        refuse_unknown(rows, self.vocab_size)
        context = found = torch.zeros(len(rows), dtype=torch.long)
        for keys, token in zip(self.keys[: rows.shape[1]], rows.unbind(dim=1), strict=True):
            context = found
            wanted = context * self.vocab_size + token
            place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
            found = torch.where((context >= 0) & (keys[place] == wanted), place, -1)
        return context, found


def at(values: Tensor, numbers: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """The value of each run by its number; 0 for a run that does not occur."""
    return torch.where(numbers >= 0, values[numbers], 0).double()


def refuse_unknown(tokens: Int[Tensor, "*any"], vocab_size: int) -> None:
    """Raise `UsageError` for a token without a place among m."""
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise UsageError(
            f"with a vocabulary of {vocab_size} a token is a number from 0 to {vocab_size - 1}, "
            f"got {int(tokens.min())} to {int(tokens.max())}: pass the text's own vocabulary"
        )
