"""How near translations are to their references: BLEU (section 10.7.8)."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from freedive.core.errors import UsageError, unknown

Smoothing = Literal["exp", "floor", "add-k", "none"]
SMOOTHING: dict[str, float] = {"exp": 0.0, "floor": 0.1, "add-k": 1.0, "none": 0.0}  # and defaults
NGram = tuple[str, ...]


def ngrams(tokens: Sequence[str], n: int) -> Counter[NGram]:
    """All runs of n tokens, and how often each occurs."""
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def matches(predicted: Sequence[str], reference: Sequence[str], n: int) -> int:
    """How many runs of n predicted tokens the reference has; each of its own counts once."""
    return (ngrams(predicted, n) & ngrams(reference, n)).total()


def brevity(predicted: int, reference: int) -> float:
    """exp(min(0, 1 − reference/predicted)): less than 1 for predictions that are too short."""
    return math.exp(min(0.0, 1 - reference / predicted)) if predicted else 0.0


def bleu(pred_seq: str, label_seq: str, k: int) -> float:
    r"""The book's BLEU of one sentence, from 0 to 1.

    $\exp(\min(0, 1 - \frac{L_\mathrm{label}}{L_\mathrm{pred}})) \prod_{n=1}^k p_n^{1/2^n}$, where
    $p_n$ is the share of the prediction's n-grams that the label has. Orders beyond the
    prediction's length are left out, so a perfect sentence of two words scores 1 at any k. It is
    no `corpus_bleu`: that takes the geometric mean of the orders, over all sentences at once.

    Args:
        pred_seq: the translation, its tokens between spaces; an empty one scores 0.
        label_seq: the reference, likewise.
        k: the longest n-grams that are compared.

    Raises:
        UsageError: k is below 1.
    """
    at_least_one("k", k)
    predicted, reference = pred_seq.split(), label_seq.split()
    score = brevity(len(predicted), len(reference))
    for n in range(1, min(k, len(predicted)) + 1):
        precision = matches(predicted, reference, n) / (len(predicted) - n + 1)
        score *= precision ** (0.5**n)
    return score


@dataclass(frozen=True)
class Counts:
    """What BLEU needs to know of a corpus.

    Attributes:
        predicted, reference: tokens on either side.
        matched, total: predicted n-grams that the references have, and all, for n = 1, 2, …
    """

    predicted: int
    reference: int
    matched: tuple[int, ...]
    total: tuple[int, ...]


def count(predictions: Sequence[str], references: Sequence[str], max_order: int) -> Counts:
    """Count the n-grams of a corpus; a sentence matches its own reference only."""
    pairs = [(p.split(), r.split()) for p, r in zip(predictions, references, strict=True)]
    orders = range(1, max_order + 1)
    return Counts(
        sum(len(predicted) for predicted, _ in pairs),
        sum(len(reference) for _, reference in pairs),
        tuple(sum(matches(*pair, n) for pair in pairs) for n in orders),
        tuple(sum(max(0, len(predicted) - n + 1) for predicted, _ in pairs) for n in orders),
    )


def precisions(counts: Counts, smoothing: Smoothing, value: float) -> Iterator[float]:
    """The share of n-grams that match, order by order, up to the longest that occurs."""
    halved = 1.0
    for n, (matched, total) in enumerate(zip(counts.matched, counts.total, strict=True), 1):
        added = value if smoothing == "add-k" and n > 1 else 0.0
        if total + added == 0:
            return
        if matched + added > 0:
            yield (matched + added) / (total + added)
        elif smoothing == "exp":
            halved /= 2
            yield halved / total
        else:
            yield value / total if smoothing == "floor" else 0.0


def corpus_bleu(
    predictions: Sequence[str],
    references: Sequence[str],
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    smooth_value: float | None = None,
) -> float:
    r"""The standard BLEU of a corpus, from 0 to 1 where sacreBLEU says 0 to 100.

    $\mathrm{BP} \cdot (\prod_{n=1}^N p_n)^{1/N}$ with n-grams and lengths counted over all
    sentences. It equals sacreBLEU with ``tokenize="none"`` and one reference a sentence.

    Args:
        predictions: the translations, their tokens between spaces.
        references: one for each.
        max_order: N, the longest n-grams that are compared.
        smoothing: what stands for a precision of 0: ``exp`` halves 1/total once more for each,
            ``floor`` takes value/total, ``add-k`` adds the value to all counts but those of single
            tokens, ``none`` leaves 0, and with it a score of 0.
        smooth_value: of ``floor`` (0.1) and ``add-k`` (1).

    Raises:
        UsageError: as many references as predictions are wanted, an order of at least 1, and a
            smoothing of these four.
    """
    at_least_one("max_order", max_order)
    if smoothing not in SMOOTHING:
        raise unknown("smoothing", smoothing, SMOOTHING)
    if len(predictions) != len(references):
        raise UsageError(
            f"BLEU wants one reference for each translation, got {len(predictions)} translations "
            f"and {len(references)} references"
        )
    counts = count(predictions, references, max_order)
    if not any(counts.matched):
        return 0.0
    value = SMOOTHING[smoothing] if smooth_value is None else smooth_value
    found = list(precisions(counts, smoothing, value))
    if len(found) < max_order or min(found) <= 0:  # a geometric mean with a 0 in it
        return 0.0
    mean = math.fsum(map(math.log, found)) / max_order
    return brevity(counts.predicted, counts.reference) * math.exp(mean)


def at_least_one(name: str, given: int) -> None:
    """Refuse an order below 1."""
    if given < 1:
        raise UsageError(f"{name} wants a whole number of at least 1, got {given}")
