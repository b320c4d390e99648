"""Models that count: against a slow reading of their formulas, and what was wrong in d2l's."""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.topics.sequences.counts import NGramCounts
from freedive.topics.sequences.ngram import NGram
from freedive.topics.sequences.ngram_lab import own_perplexity
from freedive.topics.sequences.smoothing import RULES

M = 4  # tokens 0, 1, 2 occur in texts; 3 never does
RULE_NAMES = [*RULES]
STRENGTHS = {"none": 0.0, "laplace": 0.7, "interpolated": 1.3, "discounted": 0.6, "back-off": 0.6}
texts = st.lists(st.integers(0, 2), min_size=3, max_size=25)


def model(text, n, smoothing, strength=None):
    counts = NGramCounts(torch.tensor(text), M, n)
    return NGram(counts, n, smoothing, STRENGTHS[smoothing] if strength is None else strength)


def slow(text, n, smoothing, context, token):
    """P(token | context) as the formulas say it, with counts from loops."""
    if n == 0:
        return 1 / M
    context = context[len(context) - n + 1 :]
    seen = Counter(
        text[i + n - 1] for i in range(len(text) - n + 1) if text[i : i + n - 1] == context
    )
    count, total, distinct, e = seen[token], seen.total(), len(seen), STRENGTHS[smoothing]

    def lower(t):
        return slow(text, n - 1, smoothing, context[1:], t)

    match smoothing:
        case "none":
            return count / total if total else 0.0
        case "laplace":
            return (count + e / M) / (total + e)
        case "interpolated":
            return (count + e * lower(token)) / (total + e)
        case "discounted":
            if not total:
                return lower(token)
            return (max(count - e, 0) + e * distinct * lower(token)) / total
    if not total:
        return lower(token)
    if distinct == M:
        return count / total
    if count:
        return (count - e) / total
    return e * distinct / total * lower(token) / (1 - sum(lower(t) for t in seen))


@pytest.mark.parametrize("smoothing", RULE_NAMES)
@given(text=texts, n=st.integers(1, 3), context=st.lists(st.integers(0, 3), min_size=2, max_size=4))
def test_probabilities_are_those_of_the_formula(smoothing, text, n, context):
    told = model(text, n, smoothing).distribution(torch.tensor(context))
    expected = [slow(text, n, smoothing, context, token) for token in range(M)]
    assert told.tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("smoothing", [rule for rule in RULE_NAMES if rule != "none"])
@given(text=texts, n=st.integers(1, 3), context=st.lists(st.integers(0, 3), max_size=3),
       strength=st.sampled_from([0.01, 0.5, 0.99, 1.0]))  # fmt: skip
def test_r29_every_distribution_sums_to_one(smoothing, text, n, context, strength):
    told = model(text, n, smoothing, strength).distribution(torch.tensor(context, dtype=torch.long))
    assert told.sum().item() == pytest.approx(1, abs=1e-9)
    assert (told >= 0).all()


@given(texts, st.integers(1, 3))
def test_unsmoothed_counts_sum_to_one_after_what_was_seen(text, n):
    unsmoothed = model(text, n, "none")
    for context in unsmoothed.counts.runs(n - 1)[unsmoothed.counts.followed[n - 1] > 0]:
        assert unsmoothed.distribution(context).sum().item() == pytest.approx(1, abs=1e-12)


def test_r29_the_printed_bigrams_sum_to_more():
    text = [0, 1, 0, 2, 0, 1]
    after = Counter(b for a, b in pairwise(text) if a == 0)
    epsilon, n = 1.0, after.total()
    printed = sum((after[token] + epsilon) / (n + epsilon) for token in range(M))
    assert printed == pytest.approx((n + M * epsilon) / (n + epsilon))
    assert printed > 1.7
    told = model(text, 2, "interpolated", epsilon).distribution(torch.tensor([0]))
    assert told.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_last_token_of_a_text_does_not_count_as_followed():
    told = model([0, 1, 0, 1, 0], 2, "none").distribution(torch.tensor([0]))
    assert told.tolist() == [0, 1, 0, 0]  # of three zeros only two have a next token


def test_the_strength_without_limit_is_the_order_below():
    text = [0, 1, 0, 2, 0, 1, 1]
    raw = model(text, 2, "none").distribution(torch.tensor([0]))
    for smoothing in ("laplace", "interpolated", "discounted", "back-off"):
        told = model(text, 2, smoothing, 1e-9).distribution(torch.tensor([0]))
        torch.testing.assert_close(told, raw, atol=1e-8, rtol=0)
    for smoothing in ("laplace", "interpolated"):
        told = model(text, 2, smoothing, 1e12).distribution(torch.tensor([0]))
        torch.testing.assert_close(told, torch.full((M,), 0.25).double(), atol=1e-9, rtol=0)


def test_a_context_is_as_long_as_the_model_looks():
    told = model([0, 1, 2, 0, 1, 2], 2, "interpolated")
    short, long = (told.distribution(torch.tensor(c)) for c in ([1], [3, 3, 1]))
    assert torch.equal(short, long)
    empty = told.distribution(torch.tensor([], dtype=torch.long))
    unigram = model([0, 1, 2, 0, 1, 2], 1, "interpolated").distribution(torch.tensor([1]))
    torch.testing.assert_close(empty, unigram)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_r11_the_perplexity_is_exp_of_the_mean_loss(n):
    text, other = [0, 1, 0, 2, 0, 1, 1, 2], [0, 2, 1, 0, 0, 1]
    told = model(text, n, "interpolated")
    logits = torch.stack(
        [told.distribution(torch.tensor(other[:t], dtype=torch.long)) for t in range(len(other))]
    ).log()
    losses = F.cross_entropy(logits, torch.tensor(other), reduction="none")[n - 1 :]
    found = told.perplexity(torch.tensor(other))
    assert found == pytest.approx(losses.mean().exp().item(), rel=1e-9)
    assert found < losses.exp().mean().item()


def test_the_perplexity_of_certainty_chance_and_impossibility():
    sure = model([0, 1] * 6, 2, "none")
    assert sure.perplexity(torch.tensor([0, 1, 0, 1])) == 1
    assert sure.perplexity(torch.tensor([0, 1, 0, 2])) == math.inf
    know_nothing = model([0, 1] * 6, 2, "laplace", 1e15)
    assert know_nothing.perplexity(torch.tensor([0, 3, 3])) == pytest.approx(M)
    worse = model([0, 1] * 6, 2, "laplace", 1e-6)
    assert worse.perplexity(torch.tensor([0, 2])) > 1e6  # there is no upper bound


def test_on_the_counted_text_longer_runs_fit_better():
    text = torch.randint(3, (300,), generator=torch.Generator().manual_seed(0))
    counts = NGramCounts(text, M, 4)
    fits = [own_perplexity(counts, n) for n in (1, 2, 3, 4)]
    assert fits == sorted(fits, reverse=True)
    expected = [NGram(counts, n, "none").perplexity(text) for n in (1, 2, 3, 4)]
    assert fits == pytest.approx(expected, rel=1e-9)


def test_samples_have_the_frequencies_of_the_model():
    text = [0, 1, 0, 2, 0, 1, 1, 2, 0, 1]
    told = model(text, 2, "discounted")
    tokens = told.sample(800, torch.Generator().manual_seed(0))
    assert tokens.shape == (800,)
    pairs = torch.zeros(M, M, dtype=torch.float64)
    pairs.index_put_((tokens[:-1], tokens[1:]), torch.ones(799).double(), accumulate=True)
    for token in (0, 1, 2):
        shares = pairs[token] / pairs[token].sum()
        torch.testing.assert_close(
            shares, told.distribution(torch.tensor([token])), atol=0.08, rtol=0
        )


def test_samples_are_the_seeds_and_begin_where_they_should():
    told = model([0, 1, 0, 2, 0, 1, 1, 2], 3, "interpolated")
    first, again, other = (told.sample(50, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    start = torch.tensor([2, 2])
    assert told.sample(3, torch.Generator().manual_seed(0), start)[:2].tolist() == [2, 2]
    assert told.sample(0, torch.Generator(), start).tolist() == [2, 2]
    assert told.sample(0, torch.Generator()).shape == (0,)


def test_a_text_goes_on_where_nothing_was_ever_seen_to_follow():
    told = model([0, 1, 2], 3, "none")  # nothing follows 1 2, nor 2
    tokens = told.sample(6, torch.Generator().manual_seed(0), torch.tensor([1, 2]))
    assert set(tokens.tolist()) <= {0, 1, 2}
    assert len(tokens) == 8


@pytest.mark.parametrize(
    ("n", "smoothing", "strength", "told"),
    [
        (0, "none", 0.0, "n wants a number from 1 to 2, what was counted, got 0"),
        (3, "none", 0.0, "got 3"),
        (2, "kneser", 0.0, "no smoothing is called 'kneser'"),
        (2, "laplace", -1.0, "laplace smoothing wants an ε of at least 0, got -1"),
        (2, "interpolated", math.inf, "got inf"),
        (2, "interpolated", math.nan, "got nan"),
        (2, "discounted", 1.5, "a discount from 0 to 1, got 1.5"),
        (2, "back-off", -0.1, "a discount from 0 to 1, got -0.1"),
    ],
)
def test_wrong_settings_are_refused(n, smoothing, strength, told):
    counts = NGramCounts(torch.tensor([0, 1, 0]), M, 2)
    with pytest.raises(UsageError, match=told):
        NGram(counts, n, smoothing, strength)


def test_a_text_too_short_to_judge_by_is_refused():
    with pytest.raises(UsageError, match="a 3-gram model wants 3 tokens or more, got 2"):
        model([0, 1, 0], 3, "laplace").perplexity(torch.tensor([0, 1]))
    with pytest.raises(UsageError, match="with a vocabulary of 4"):
        model([0, 1, 0], 2, "laplace").perplexity(torch.tensor([0, 4]))
