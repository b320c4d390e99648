"""What is frequent in a text, and how quickly that falls off (section 9.2.5)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.data.vocab import Vocab
from freedive.topics.sequences.counts import NGramCounts

Frequencies = Int[Tensor, " ranks"]


def frequencies(counts: NGramCounts, k: int) -> Frequencies:
    """How often the different runs of k tokens occur, the most frequent first."""
    return counts.counts[k - 1].sort(descending=True).values


def most_frequent(counts: NGramCounts, k: int, vocab: Vocab, top: int) -> list[tuple[str, int]]:
    """The most frequent runs of k tokens as text; of equals the one with the lowest numbers."""
    # the runs are sorted by their tokens' numbers, and a stable sort keeps that among equals
    order = counts.counts[k - 1].sort(descending=True, stable=True).indices[:top]
    runs, found = counts.runs(k)[order].tolist(), counts.counts[k - 1][order].tolist()
    words = [" ".join(vocab.idx_to_token[i] for i in run) for run in runs]
    return list(zip(words, found, strict=True))


def zipf_fit(
    found: Float[Tensor, " ranks"] | Frequencies, first: int = 1, last: int | None = None
) -> tuple[float, float]:
    r"""The α of Zipf's law $n_i \propto i^{-\alpha}$ between two ranks, and the fit's R².

    Least squares on $\log n_i = -\alpha \log i + c$; R² is NaN where all are equally frequent.

    Args:
        found: frequencies by rank, the highest first.
        first, last: ranks, from 1; None takes the last one.

    Raises:
        UsageError: there are fewer than two ranks.
    """
    log_n = found[first - 1 : last].double().log()
    if len(log_n) < 2:
        raise UsageError(
            f"a slope wants two ranks or more, got {len(log_n)} of {len(found)} from rank {first}"
        )
    log_rank = torch.arange(first, first + len(log_n), dtype=torch.float64).log()
    x, y = log_rank - log_rank.mean(), log_n - log_n.mean()
    slope = (x @ y) / (x @ x)
    explained = slope * (x @ y) / (y @ y)
    return -float(slope), float(explained)
