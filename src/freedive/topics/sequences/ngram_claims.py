"""What the book says about n-grams, smoothing and perplexity, as checks (sections 9.3.1, 9.3.2)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.metrics import Meter, perplexity
from freedive.core.random import generator
from freedive.topics.sequences import markov
from freedive.topics.sequences.counts import NGramCounts
from freedive.topics.sequences.ngram import NGram
from freedive.topics.sequences.smoothing import RULES, Seen, interpolated
from freedive.topics.sequences.texts import open_text

Evidence = Iterator[tuple[Any, ...]]
TOY = torch.tensor([0, 1, 0, 2, 0, 1, 3, 0, 1, 0])  # a b a c a b d a b a, and an e that never comes
M = 5


def bigrams(smoothing: Any, strength: float) -> NGram:
    """A bigram model of the toy text."""
    return NGram(NGramCounts(TOY, M, 2), 2, smoothing, strength)


def after(model: NGram, token: int) -> Tensor:
    """P(x' | token) for all x'."""
    return model.distribution(torch.tensor([token]))


@erratum(
    "9.3.1.1",
    "a bigram model's probability of four words is a product of four factors",
    printed="P(x₁, …, x₄) beside the one factor P(x₄ | x₃), and likewise for trigrams",
    source="002b E29",
)
def joint_not_factor() -> Evidence:
    """Summed over all sequences, the product gives one, and one factor gives m³."""
    joint = markov.random_joint(3, 4, generator(0))
    for order in (1, 2):
        factor = markov.conditional(joint, 3, order).expand_as(joint)
        yield markov.markov_approximation(joint, order).sum(), 1.0, 1e-12
        yield factor.sum(), 27.0, 1e-9


@claim("9.3.1.3", "a bigram that was not seen gets the probability 0 from counts",
       "000 section 7.2")  # fmt: skip
def unseen_is_impossible() -> Evidence:
    """One such pair makes a whole text impossible."""
    model = bigrams("none", 0.0)
    yield model.probability(torch.tensor([[0, 3]])), [0.0]
    yield model.perplexity(torch.tensor([0, 1, 0, 3])), math.inf


@claim("9.3.1.3", "Laplace's estimate (n(x) + ε/m) / (n + ε) sums to one", "002b C39")
def unigrams() -> Evidence:
    """By the formula, for several ε; the token that never comes gets its share."""
    n = torch.bincount(TOY, minlength=M).double()
    for epsilon in (0.1, 1.0, 10.0):
        told = NGram(NGramCounts(TOY, M, 1), 1, "interpolated", epsilon).distribution(TOY[:0])
        yield told.sum(), 1.0, 1e-12
        yield told, (n + epsilon / M) / (len(TOY) + epsilon), 1e-12


@erratum(
    "9.3.1.3",
    "with P̂(x') beside ε, the bigram's (n(x, x') + ε P̂(x')) / (n(x) + ε) sums to one",
    printed="(n(x, x') + ε) / (n(x) + ε), which sums to (n(x) + m ε) / (n(x) + ε)",
    source=("002b E28", "002b C39", "REGRESSIONS R29"),
)
def bigrams_sum_to_one() -> Evidence:
    """After every token; n(x) counts where something follows, or the end of the text would miss."""
    counts = NGramCounts(TOY, M, 2)
    pairs = torch.stack([counts_after(token) for token in range(M)])
    n = pairs.sum(dim=1, keepdim=True)
    for epsilon in (0.1, 1.0, 10.0):
        mended = NGram(counts, 2, "interpolated", epsilon)
        printed = (pairs + epsilon) / (n + epsilon)
        for token in range(M):
            yield after(mended, token).sum(), 1.0, 1e-12
        yield printed.sum(dim=1), ((n + M * epsilon) / (n + epsilon))[:, 0], 1e-12
        yield float(printed.sum(dim=1).min()), (1.01, math.inf)


def counts_after(token: int) -> Tensor:
    """How often each token follows one, counted in a loop."""
    found = torch.zeros(M, dtype=torch.float64)
    for before, then in zip(TOY[:-1].tolist(), TOY[1:].tolist(), strict=True):
        found[then] += before == token
    return found


@claim(
    "9.3.1.3",
    "with ε → 0 a bigram's estimate is the ratio of counts, with ε → ∞ that of the unigrams",
    "002b C39",
)
def limits() -> Evidence:
    """After a token that was seen, with an ε of the bigrams' own."""
    pairs = counts_after(0)
    told = NGram(NGramCounts(TOY, M, 1), 1, "interpolated", 1.0).distribution(TOY[:0])
    seen = Seen(pairs, pairs.sum().expand(M), (pairs > 0).sum().expand(M).double(), told, told, M)
    yield interpolated(seen, 1e-9), pairs / pairs.sum(), 1e-8
    yield interpolated(seen, 1e12), told, 1e-9


@claim("9.3.1.3", "every way of smoothing gives probabilities that sum to one", "REGRESSIONS R29")
def all_sum_to_one() -> Evidence:
    """After contexts that were seen, and, where it is smoothed, after one that was not."""
    for rule in RULES:
        model = bigrams(rule, 0.5)
        for token in range(M - 1 if rule == "none" else M):
            yield after(model, token).sum(), 1.0, 1e-12


@claim(
    "9.3.1.3",
    "counting with smoothing overestimates what is rare",
    "000 section 7.2",
)
def tail_overestimated() -> Evidence:
    """One added to each count of word pairs: what unseen pairs get, and how often they came."""
    data = open_text("auto", "word", min_freq=2)
    cut, m = int(0.9 * len(data.corpus)), len(data.vocab)
    counts = NGramCounts(data.corpus[:cut], m, 2)
    rows = data.corpus[cut:].unfold(0, 2, 1)
    context, pair = counts.find(rows)
    n, seen = counts.followed[1][context].double(), counts.distinct[1][context].double()
    given = ((m - seen) / (n + m)).mean()  # (m − k) unseen tokens with 1 / (n + m) each
    yield given / (pair < 0).double().mean(), (1.5, math.inf)


@claim("9.3.2", "the perplexity is 1 for a perfect model and |V| for a uniform one",
       ("002b C40", "001_003_004 C74"))  # fmt: skip
def best_and_uniform() -> Evidence:
    """A text in which each token is known, and one model that knows nothing."""
    alternating = torch.tensor([0, 1] * 10)
    yield NGram(NGramCounts(alternating, 2, 2), 2, "none").perplexity(alternating), 1.0, 1e-12
    for m in (2, 28, 1000):
        yield perplexity(float(F.cross_entropy(torch.zeros(1, m), torch.tensor([0])))), m, 1e-3


@erratum(
    "9.3.2",
    "the perplexity has no upper bound, and the baseline |V| is that of a uniform model",
    printed="the best case is 1 and that of a random model |V|, with no worst case",
    source=("002b E30", "002b C40", "001_003_004 C74"),
)
def unbounded() -> Evidence:
    """A model that is sure and wrong; random probabilities that are not uniform."""
    for sureness in (10.0, 100.0):
        logits = torch.tensor([[sureness, 0.0]]).double()
        loss = F.cross_entropy(logits, torch.tensor([1]))
        yield perplexity(float(loss)), (math.exp(sureness), 1.01 * math.exp(sureness))
    logits = torch.randn(10_000, 28, generator=generator(0))
    loss = F.cross_entropy(logits, torch.arange(10_000) % 28)
    yield perplexity(float(loss)), (40.0, math.inf)  # random, and worse than 28


@claim("9.3.2", "an untrained model has a perplexity of about |V|: 28.00 with σ = 0.01", "002b C41")
def untrained() -> Evidence:
    """Logits from small random weights: a hidden layer of 32 and 28 outputs."""
    chance = generator(0)
    inputs = torch.randint(28, (10_000,), generator=chance)
    W, V = (0.01 * torch.randn(*shape, generator=chance) for shape in ((28, 32), (32, 28)))
    loss = F.cross_entropy(torch.tanh(W[inputs]) @ V, inputs.roll(-1))
    yield perplexity(float(loss)), 28.0, 0.01


@erratum(
    "9.3.2",
    "the perplexity of an epoch is exp of the mean loss",
    printed="the mean of the batches' exp(loss), which is never smaller",
    source=("002b E30", "REGRESSIONS R11"),
)
def exp_of_the_mean() -> Evidence:
    """Losses 1 and 3 of two batches; and a hundred random ones."""
    meter = Meter()
    for loss in (1.0, 3.0):
        meter.add("val_loss", loss, num_examples=8)
    yield perplexity(meter.means()["val_loss"]), math.exp(2), 1e-9
    yield (math.exp(1) + math.exp(3)) / 2, 11.40, 0.005
    losses = torch.rand(100, generator=generator(0)).double()
    yield bool(losses.exp().mean() > losses.mean().exp()), True


@erratum(
    "9.3.2",
    "the perplexity is the geometric mean of the choices 1/P",
    printed="the harmonic mean of the number of choices",
    source=("001_003_004 E39", "001_003_004 C74"),
)
def geometric_mean() -> Evidence:
    """Two tokens with the probabilities ½ and ⅛: two and eight choices."""
    choices = torch.tensor([2.0, 8.0], dtype=torch.float64)
    told = perplexity(float(choices.log().mean()))
    yield told, 4.0, 1e-12
    yield told, float(choices.prod().sqrt()), 1e-12
    yield float(len(choices) / (1 / choices).sum()), 3.2, 1e-12
