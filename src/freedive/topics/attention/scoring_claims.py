"""What the book says about scores and the masked softmax, as checks (section 11.3)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.attention import concise, scratch

Evidence = Iterator[tuple[Any, ...]]
FORMS: tuple[Any, ...] = (scratch, concise)
HIDING = -1e6  # what the book puts in the place of a score that may not be seen


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def printed_masked_softmax(scores: Tensor, lengths: Tensor) -> Tensor:
    """The book's way: scores of −10⁶ where nothing may be seen, then a softmax over all keys."""
    seen = torch.arange(scores.shape[-1]) < lengths[:, None, None]
    return scores.masked_fill(~seen, HIDING).softmax(dim=-1)


@claim(
    "11.3",
    "−½‖q − k‖² = qᵀk − ½‖k‖² − ½‖q‖²; the softmax needs no ‖q‖, nor ‖k‖ where all keys have one",
    "002b C78",
)
def distances_as_products() -> Evidence:
    """A Gaussian's weights as a softmax; without ‖k‖, keys of unlike length are weighed apart."""
    q, keys = normal(7, 5), normal(9, 5, stream=1)
    squares = (q[:, None] - keys).square().sum(dim=-1)
    products, of_keys = q @ keys.T, keys.square().sum(dim=-1) / 2
    yield -squares / 2, products - of_keys - q.square().sum(dim=-1, keepdim=True) / 2, 1e-12
    gaussian = torch.exp(-squares / 2)
    weights = gaussian / gaussian.sum(dim=-1, keepdim=True)
    yield (products - of_keys).softmax(dim=-1), weights, 1e-12
    yield float((products.softmax(dim=-1) - weights).abs().max()), (0.1, 1.0)
    even = 2 * keys / keys.norm(dim=-1, keepdim=True)
    alike = (-(q[:, None] - even).square().sum(dim=-1) / 2).softmax(dim=-1)
    yield (q @ even.T).softmax(dim=-1), alike, 1e-12


@claim(
    "11.3.3",
    "products of d independent entries of variance 1 have variance d; over √d, variance 1",
    "002b C79",
)
def variance_of_products() -> Evidence:
    """10,000 pairs at each size: the variance of q·k over d, and of q·k/√d."""
    for d in (4, 64, 256):
        q, k = (torch.randn(10_000, d, generator=generator(0, d, side)) for side in range(2))
        products = (q * k).sum(dim=1)
        yield products.var() / d, (0.9, 1.1)
        yield (products / math.sqrt(d)).var(), (0.9, 1.1)


@claim(
    "11.3.2.1",
    "rows of a masked softmax sum to 1 and are exactly 0 beyond the valid lengths, which may be "
    "one for each example or one for each query",
    "002b C80",
)
def masked_rows() -> Evidence:
    """Lengths of both kinds; in float32 e^(−10⁶) is 0, so that the book's way says the same."""
    scores = normal(2, 3, 4).float()
    for lengths in (torch.tensor([2, 3]), torch.tensor([[1, 3, 4], [2, 4, 1]])):
        each = lengths if lengths.dim() == 2 else lengths[:, None].expand(-1, 3)
        for form in FORMS:
            weights = form.masked_softmax(scores, lengths)
            yield weights.sum(dim=-1), torch.ones(2, 3)
            beyond = torch.arange(4) >= each[..., None]
            yield float(weights[beyond].abs().sum()), 0.0
            for n in range(2):
                first = int(each[n, 1])
                yield weights[n, 1, :first], scores[n, 1, :first].softmax(dim=0)
    by_the_book = printed_masked_softmax(scores, torch.tensor([2, 3]))
    yield by_the_book, scratch.masked_softmax(scores, torch.tensor([2, 3]))
    yield float(torch.exp(torch.tensor(HIDING))), 0.0


@erratum(
    "11.3.2.1",
    "a query that may see no key finds nothing: its weights are 0, and so is what it gets",
    printed="all its scores are −10⁶, and it gets the mean of the padding, 1/n of each",
    source="002b C81",
)
def nothing_to_see() -> Evidence:
    """Four keys that are all padding: weights, what is found, and gradients."""
    scores, lengths = normal(2, 3, 4), torch.tensor([0, 4])
    yield printed_masked_softmax(scores, lengths)[0], torch.full((3, 4), 0.25)
    for form in FORMS:
        yield form.masked_softmax(scores, lengths)[0], torch.zeros(3, 4)
        X = normal(2, 4, 5, stream=1).requires_grad_()
        found = form.DotProductAttention()(X, X, X, lengths)
        yield found[0].detach(), torch.zeros(4, 5)
        (gradient,) = torch.autograd.grad(found.sum(), X)
        yield gradient[0], torch.zeros(4, 5)
        yield bool(gradient.isfinite().all() and gradient[1].any()), True


@claim(
    "11.3.2.2",
    "a batch of products (n, a, b) × (n, b, c) has the shape (n, a, c): a matrix product for each",
    "002b C82",
)
def batched_products() -> Evidence:
    """The book's 2 × (3, 4) × (4, 6), and unlike numbers beside a loop."""
    yield list(torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 6)).shape), [2, 3, 6]
    Q, K = normal(2, 3, 4), normal(2, 4, 6, stream=1)
    yield torch.bmm(Q, K), torch.stack([q @ k for q, k in zip(Q, K, strict=True)]), 1e-12


@claim(
    "11.3.4",
    "additive attention takes queries and keys of unlike sizes; each pair has one score, and a "
    "query's weights sum to 1",
    "002b C83",
)
@torch.no_grad()
def additive_scores() -> Evidence:
    """Queries of 20 numbers and keys of 2; values that are one-hot show the weights."""
    queries, keys = normal(2, 1, 20).float(), normal(2, 10, 2, stream=1).float()
    lengths, one_hot = torch.tensor([2, 6]), torch.eye(10).expand(2, -1, -1)
    for form in FORMS:
        attention = form.AdditiveAttention(8, 0.0, 20, 2)
        weights = attention(queries, keys, one_hot, lengths)
        yield list(weights.shape), [2, 1, 10]
        yield weights.sum(dim=-1), torch.ones(2, 1)
        hidden = torch.tanh(attention.W_q(queries) + attention.W_k(keys))
        scores = attention.w_v(hidden)[..., 0]
        yield list(scores.shape), [2, 10]
        for n, length in enumerate(lengths.tolist()):
            yield weights[n, 0, :length], scores[n, :length].softmax(dim=0)
            yield float(weights[n, 0, length:].sum()), 0.0


@claim(
    "11.3.3",
    "without 1/√d the softmax saturates as d grows: one key gets nearly all, and the gradients of "
    "the scores vanish; with it they do not depend on d",
    "002b C84",
)
def saturation() -> Evidence:
    """Means over 500 queries of 10 keys: the largest weight, and Σ_ij |∂α_i/∂a_j|."""
    largest: dict[bool, list[float]] = {True: [], False: []}
    slopes: dict[bool, list[float]] = {True: [], False: []}
    for d in (4, 64, 1024):
        q, k = (torch.randn(500, n, d, generator=generator(0, d, n)) for n in (1, 10))
        for scaled in (True, False):
            weights = ((q @ k.mT)[:, 0] / (math.sqrt(d) if scaled else 1.0)).softmax(dim=-1)
            largest[scaled].append(float(weights.amax(dim=-1).mean()))
            slopes[scaled].append(float(steepness(weights).mean()))
    yield largest[False][-1], (0.95, 1.0)
    yield slopes[False][-1] / slopes[False][0], (0.0, 0.1)
    yield slopes[True][-1] / slopes[True][0], (0.9, 1.3)
    yield max(largest[True]) - min(largest[True]), (0.0, 0.1)


def steepness(weights: Tensor) -> Tensor:
    """Σ_ij |∂α_i/∂a_j| = 2 Σ α_i (1 − α_i), of a softmax's slopes α_i (1[i = j] − α_j)."""
    return 2 * (weights * (1 - weights)).sum(dim=-1)


@erratum(
    "11.3.2.1",
    "the scores before the softmax are set to a large negative number where nothing may be seen",
    printed="the attention weights are set to a very small negative number, about −10⁶",
    source="002b E53",
)
def before_the_softmax() -> Evidence:
    """Four keys of which two may be seen: rows sum to −2·10⁶ as printed, to 1 by the scores."""
    scores = normal(1, 3, 4)
    seen = torch.arange(4) < 2
    as_printed = scores.softmax(dim=-1).masked_fill(~seen, HIDING)
    yield as_printed.sum(dim=-1) / -2e6, torch.ones(1, 3), 1e-5
    by_scores = scores.masked_fill(~seen, HIDING).softmax(dim=-1)
    yield by_scores.sum(dim=-1), torch.ones(1, 3)
    yield scratch.masked_softmax(scores, torch.tensor([2])), by_scores
    tiny = scores.masked_fill(~seen, -1e-6).softmax(dim=-1)  # "very small" hides nothing
    yield float(tiny[..., 2:].sum(dim=-1).min()), (0.05, 1.0)


@erratum(
    "11.3.3",
    "scores are scaled: divided by √d, whatever they are; the softmax divides by the sum over all "
    "m keys",
    printed="scores are standardised, and the sum in the softmax has no upper limit",
    source="002b E54",
)
def scaled_not_standardised() -> Evidence:
    """Standardised scores forget how sure they were; a sum over fewer keys gives no weights."""
    scores = normal(500, 1, 8, stream=2)
    for factor in (0.1, 10.0):
        given = factor * scores
        mean, deviation = given.mean(dim=-1, keepdim=True), given.std(dim=-1, keepdim=True)
        same = ((given - mean) / deviation).softmax(dim=-1)
        yield same, ((scores - scores.mean(-1, True)) / scores.std(-1, keepdim=True)).softmax(-1)
    sure, unsure = ((factor * scores).softmax(dim=-1).amax(dim=-1).mean() for factor in (10, 0.1))
    yield float(sure - unsure), (0.5, 1.0)  # which scaling keeps apart
    terms = scores.exp()
    yield (terms / terms.sum(dim=-1, keepdim=True)).sum(dim=-1), torch.ones(500, 1), 1e-12
    yield float((terms / terms[..., :4].sum(dim=-1, keepdim=True)).sum(dim=-1).min()), (1.01, 100.0)
