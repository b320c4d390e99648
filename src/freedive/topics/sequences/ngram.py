"""Language models that count: the next token by the few before it (section 9.3.1)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError, unknown
from freedive.core.metrics import perplexity
from freedive.topics.sequences.counts import NGramCounts, at
from freedive.topics.sequences.smoothing import RULES, Seen, Smoothing


class NGram:
    """P(x_t | the n − 1 tokens before it), from counts in a text.

    Each order's estimate may lean on that of the order below; under the unigrams all m tokens are
    alike. So does the book's Laplace smoothing, with one ε for all orders.

    Args:
        counts: of a text, of runs of n tokens or longer.
        n: tokens in a run: 1 for unigrams, 2 for bigrams, …
        smoothing: the rule: none, laplace, interpolated, discounted or back-off.
        strength: its ε, or its discount d below 1.

    Raises:
        UsageError: no such n or rule, or a strength that the rule cannot take.
    """

    def __init__(
        self,
        counts: NGramCounts,
        n: int,
        smoothing: Smoothing = "interpolated",
        strength: float = 1.0,
    ):
        if not 1 <= n <= counts.n:
            raise UsageError(f"n wants a number from 1 to {counts.n}, what was counted, got {n}")
        if smoothing not in RULES:
            raise unknown("smoothing", smoothing, RULES)
        refuse_strength(smoothing, strength)
        self.counts, self.n, self.smoothing, self.strength = counts, n, smoothing, strength
        self.vocab_size = counts.vocab_size
        self.lower_seen: list[Float[Tensor, " contexts"]] = []  # for contexts of k tokens, from 0
        for k in range(n if smoothing == "back-off" else 0):
            lower = self.probability(counts.runs(k + 1)[:, 1:])
            parents = counts.shorter(k + 1)
            self.lower_seen.append(torch.bincount(parents, lower, counts.num_runs(k)))

    def probability(self, runs: Int[Tensor, "rows k"]) -> Float[Tensor, " rows"]:
        """P(last token | those before it in the row, of which the last n − 1 count)."""
        p = torch.full((len(runs),), 1 / self.vocab_size, dtype=torch.float64)
        for k in range(1, min(self.n, runs.shape[1]) + 1):
            p = RULES[self.smoothing](self._seen(runs[:, -k:], p), self.strength)
        return p

    def _seen(self, runs: Int[Tensor, "rows k"], lower: Float[Tensor, " rows"]) -> Seen:
        """What is known of runs of k tokens, and of their first k − 1."""
        k, counts = runs.shape[1], self.counts
        context, run = counts.find(runs)
        seen = at(self.lower_seen[k - 1], context) if self.lower_seen else torch.zeros_like(lower)
        return Seen(
            at(counts.counts[k - 1], run),
            at(counts.followed[k - 1], context),
            at(counts.distinct[k - 1], context),
            lower,
            seen,
            self.vocab_size,
        )

    def distribution(self, context: Int[Tensor, " k"]) -> Float[Tensor, " vocab"]:
        """P(next token | context) for every token."""
        last = context[max(len(context) - self.n + 1, 0) :]
        tokens = torch.arange(self.vocab_size)
        return self.probability(torch.cat([last.expand(len(tokens), -1), tokens[:, None]], dim=1))

    def perplexity(self, tokens: Int[Tensor, " tokens"]) -> float:
        """exp(−mean log P) over the tokens of a text that have n − 1 before them (section 9.3.2).

        Infinite where one of them has the probability 0.

        Raises:
            UsageError: there is none.
        """
        if len(tokens) < self.n:
            raise UsageError(
                f"the perplexity of a {self.n}-gram model wants {self.n} tokens or more, "
                f"got {len(tokens)}: pass a longer text"
            )
        loss = -self.probability(tokens.unfold(0, self.n, 1)).log().mean()
        return perplexity(float(loss)) if loss.isfinite() else math.inf

    def sample(
        self, num_tokens: int, chance: torch.Generator, start: Int[Tensor, " k"] | None = None
    ) -> Int[Tensor, " tokens"]:
        """Tokens that follow each other as in the text, after a start that is part of them.

        Where nothing was ever seen to follow, the context is shortened until something was.
        """
        told = torch.empty(0, dtype=torch.long) if start is None else start
        for _ in range(num_tokens):
            context = told[max(len(told) - self.n + 1, 0) :]
            shares = self.distribution(context)
            while not shares.any():
                context = context[1:]
                shares = self.distribution(context)
            told = torch.cat([told, torch.multinomial(shares, 1, generator=chance)])
        return told


def refuse_strength(smoothing: Smoothing, strength: float) -> None:
    """Raise `UsageError` for a negative or infinite ε, or a discount that is more than one."""
    discount = smoothing in ("discounted", "back-off")
    if not 0 <= strength <= (1 if discount else math.inf) or math.isinf(strength):
        wanted = "a discount from 0 to 1" if discount else "an ε of at least 0"
        raise UsageError(f"{smoothing} smoothing wants {wanted}, got {strength:g}")
