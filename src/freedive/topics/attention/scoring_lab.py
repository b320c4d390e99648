"""An experiment with scores, masks and softmaxes: attention step by step (section 11.3)."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.attention import scoring_figures as figures
from freedive.topics.attention.masks import visible
from freedive.topics.attention.scoring_figures import Saturation, Steps
from freedive.topics.attention.scratch import masked_softmax, weights_of

Row = dict[str, Any]
Score = Literal["dot-product", "unscaled", "additive"]
MOST_EXAMPLES = 4
SIZES, QUERIES, KEYS = [1, 4, 16, 64, 256, 1024], 400, 10  # of the softmaxes that saturate
HIDING = -1e6  # the book's score of what may not be seen
NOTES = [
    "The weights of a query are between 0 and 1 and sum to 1 over the keys that it may see; what "
    "it gets is a mean of their values, whose numbers are never outside theirs.",
    "The mask works on scores, before the softmax: hidden keys (grey) have no part in the sum. "
    "Setting weights to 0 afterwards would leave sums below 1.",
    "A query that may see no key finds nothing: its weights are 0. With −10⁶ in the place of "
    "every score, as in the book, it finds the mean of all padding.",
    "Scores of independent entries grow as √d. Without 1/√d, one key takes all the weight where d "
    "is large, and the slopes by which scores would learn vanish.",
]


@lab("attention-scoring", section="11.3")
def attention_scoring(
    score: Score = "dot-product",
    num_queries: Annotated[int, Bounds(1, 12, whole=True)] = 3,
    num_keys: Annotated[int, Bounds(1, 12, whole=True)] = 5,
    size: Annotated[int, Bounds(1, 1024, whole=True)] = 8,
    valid_lens: tuple[int, ...] = (5, 2, 0),
    causal: bool = False,
    seed: Whole = 0,
) -> Report:
    """Attention step by step: scores, masks, softmax, means; and why scores are over √d.

    Args:
        score: scaled dot product, the same without 1/√d, or additive with random weights.
        num_queries: of each example.
        num_keys: of each example, each with a value of two numbers.
        size: d, numbers in a query and in a key.
        valid_lens: how many keys may be seen, 1 to 4 examples.
        causal: each query sees only its own step and those before it, the last one sees all.
        seed: of queries, keys, values and weights.
    """
    check_lengths(valid_lens, num_keys)
    queries, keys, values = drawn(len(valid_lens), (num_queries, num_keys), size, seed)
    a = scores_of(score, queries, keys, seed)
    steps = attended(a, values, torch.tensor(valid_lens), causal)
    names = [f"valid length {length}" for length in valid_lens]
    found = saturating(seed)
    policies = by_length(a[0, :1])
    book = policies["−10⁶, as in the book"][0]
    return Report(
        numbers={
            "sum of a row that sees nothing": float(policies["hidden keys left out"][0].sum()),
            "its sum with −10⁶": float(book.sum()),
            "its weights with −10⁶": float(book[0]),
            "largest sum of a row, off 1 by": off_one(steps),
            **{
                f"largest weight at d = {found.sizes[-1]}, {name}": largest[-1]
                for name, largest in found.largest.items()
            },
        },
        tables={
            f"the first query, {names[0]}": first_query(queries, keys, steps, score),
            "saturation": saturation_table(found),
        },
        figures={
            "steps": figures.steps_figure(steps, names),
            "saturation": figures.saturation_figure(found),
            "masked": figures.masked_figure(policies),
        },
        notes=list(NOTES),
    )


def check_lengths(valid_lens: Sequence[int], num_keys: int) -> None:
    """Raise `UsageError` for none, too many, or one beyond the keys."""
    fits = all(0 <= length <= num_keys for length in valid_lens)
    if not 1 <= len(valid_lens) <= MOST_EXAMPLES or not fits:
        given = ", ".join(map(str, valid_lens)) or "none"
        raise UsageError(
            f"valid_lens wants 1 to {MOST_EXAMPLES} whole numbers from 0 to num_keys={num_keys}, "
            f"got {given}"
        )


def drawn(
    examples: int, counts: tuple[int, int], size: int, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Standard normal queries, keys and values of two numbers, the same ones in every example."""
    chance = generator(seed)
    wanted = ((counts[0], size), (counts[1], size), (counts[1], 2))
    parts = [torch.randn(*shape, generator=chance, dtype=torch.float64) for shape in wanted]
    queries, keys, values = (part.expand(examples, -1, -1) for part in parts)
    return queries, keys, values


def scores_of(score: Score, queries: Tensor, keys: Tensor, seed: int) -> Tensor:
    """a(q, k) of every query and key."""
    d = queries.shape[-1]
    if score != "additive":
        return queries @ keys.mT / (math.sqrt(d) if score == "dot-product" else 1.0)
    chance = generator(seed, 1)
    W_q, W_k = (
        torch.randn(d, d, generator=chance, dtype=torch.float64) / math.sqrt(d) for _ in range(2)
    )
    w_v = torch.randn(d, generator=chance, dtype=torch.float64) / math.sqrt(d)
    return torch.tanh((queries @ W_q)[:, :, None] + (keys @ W_k)[:, None]) @ w_v


def attended(scores: Tensor, values: Tensor, lengths: Tensor, causal: bool) -> Steps:
    """Everything that comes after the scores."""
    mask = visible(lengths, scores.shape, causal)
    assert mask is not None
    mask = mask.expand(scores.shape)
    weights = weights_of(scores, mask)
    return Steps(scores, mask, weights, values, weights @ values)


def off_one(steps: Steps) -> float:
    """How far the weights of a row that sees something are from summing to 1, at most."""
    sums = steps.weights.sum(dim=-1)[steps.mask.any(dim=-1)]
    return float((sums - 1).abs().max()) if len(sums) else 0.0


def first_query(queries: Tensor, keys: Tensor, steps: Steps, score: Score) -> list[Row]:
    """The way of the first query of the first example, a row for each key, and the mean."""
    rows = []
    for j, k in enumerate(keys[0]):
        seen, a = bool(steps.mask[0, 0, j]), float(steps.scores[0, 0, j])
        rows.append(
            {
                "key": str(j + 1),
                "q·k": None if score == "additive" else float(queries[0, 0] @ k),
                "score a": a,
                "may be seen": "yes" if seen else "no",
                "exp a": math.exp(a) if seen and a < 700 else None,
                "weight": float(steps.weights[0, 0, j]),
                "value": pair(steps.values[0, j]),
            }
        )
    nothing: Row = dict.fromkeys(rows[0])
    total = float(steps.weights[0, 0].sum())
    return [*rows, {**nothing, "key": "mean", "weight": total, "value": pair(steps.outputs[0, 0])}]


def pair(value: Tensor) -> str:
    """A value in writing."""
    return ", ".join(f"{number:.3f}" for number in value.tolist())


def by_length(scores: Tensor) -> dict[str, Tensor]:
    """The weights of one query for each valid length, as they are here and as in the book."""
    m = scores.shape[-1]
    lengths = torch.arange(m + 1)
    rows = scores.expand(m + 1, -1)
    seen = torch.arange(m) < lengths[:, None]
    return {
        "hidden keys left out": masked_softmax(rows[None], lengths[None])[0],
        "−10⁶, as in the book": rows.masked_fill(~seen, HIDING).softmax(dim=-1),
    }


def saturating(seed: int) -> Saturation:
    """Softmaxes over ten keys of products of ever longer vectors, with and without 1/√d."""
    ways = {"over √d": True, "not scaled": False}
    largest: dict[str, list[float]] = {way: [] for way in ways}
    slopes: dict[str, list[float]] = {way: [] for way in ways}
    ordered: dict[str, Tensor] = {}
    for d in SIZES:
        chance = generator(seed, 2, d)
        q, k = (torch.randn(QUERIES, n, d, generator=chance) for n in (1, KEYS))
        for way, scaled in ways.items():
            products = (q @ k.mT)[:, 0].double()
            weights = (products / math.sqrt(d) if scaled else products).softmax(dim=-1)
            largest[way].append(float(weights.amax(dim=-1).mean()))
            # ∂α_i/∂a_j = α_i (1[i = j] − α_j), and a row's sizes sum to 2 α_i (1 − α_i)
            slopes[way].append(float(2 * (weights * (1 - weights)).sum(dim=-1).mean()))
            ordered[way] = weights.sort(dim=-1, descending=True).values.mean(dim=0)
    return Saturation(SIZES, largest, slopes, ordered)


def saturation_table(found: Saturation) -> list[Row]:
    """The same as rows."""
    return [
        {
            "d": d,
            **{f"largest weight, {way}": found.largest[way][i] for way in found.largest},
            **{f"slopes, {way}": found.slopes[way][i] for way in found.slopes},
        }
        for i, d in enumerate(found.sizes)
    ]
