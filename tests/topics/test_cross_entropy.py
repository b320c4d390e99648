"""Surprise beside torch.distributions; the labs of sections 4.1.3 and 4.5.2."""

import math

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.topics.softmax_regression.cross_entropy_lab import (
    cross_entropy_lab,
    numerical_gradient,
)
from freedive.topics.softmax_regression.information import (
    cross_entropy_of,
    distribution,
    entropy,
    kl_divergence,
    surprisal,
)
from freedive.topics.softmax_regression.stability_lab import errors, logits_at, softmax_stability

P, Q = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
P, Q = P / P.sum(-1, keepdim=True), Q / Q.sum(-1, keepdim=True)


def test_entropy_and_divergence_are_torchs():
    one, other = torch.distributions.Categorical(P), torch.distributions.Categorical(Q)
    torch.testing.assert_close(entropy(P), one.entropy())
    expected = torch.distributions.kl_divergence(one, other)
    torch.testing.assert_close(kl_divergence(P, Q), expected)
    torch.testing.assert_close(cross_entropy_of(P, Q), entropy(P) + expected)


def test_what_cannot_be_costs_nothing_where_it_does_not_happen_and_all_where_it_does():
    sure, other = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    assert entropy(sure) == 0
    assert cross_entropy_of(sure, other) == pytest.approx(math.log(2))
    assert cross_entropy_of(other, sure) == math.inf
    assert surprisal(torch.tensor([1.0, 0.0])).tolist() == [0.0, math.inf]


@pytest.mark.parametrize("numbers", [(), (0.5, 0.6), (-0.5, 1.5), (math.nan,)])
def test_probabilities_that_are_none_are_refused(numbers):
    with pytest.raises(UsageError, match="truth wants probabilities of at least 0 that sum to 1"):
        distribution("truth", numbers)
    with pytest.raises(UsageError, match="belief wants"):
        cross_entropy_lab(belief=numbers)


def test_the_lab_has_the_books_die():
    report = cross_entropy_lab()
    assert report.numbers["entropy of the truth H(P)"] == pytest.approx(1.7918, abs=5e-5)
    assert report.numbers["cross-entropy H(P, Q)"] == pytest.approx(2.0343, abs=5e-5)
    *rows, total = report.tables["step by step"]
    for column in ("−P log P", "−P log Q"):
        assert total[column] == pytest.approx(sum(row[column] for row in rows))
    with pytest.raises(UsageError, match="each of the 6 outcomes of truth, got 2"):
        cross_entropy_lab(belief=(0.5, 0.5))


def test_a_belief_that_excludes_what_happens_is_told_as_infinite_not_as_an_error():
    report = cross_entropy_lab(truth=(0.5, 0.5), belief=(1.0, 0.0))
    assert report.numbers["cross-entropy H(P, Q)"] == math.inf


def test_the_numerical_gradient_is_autograds():
    o = torch.randn(7, dtype=torch.float64, requires_grad=True)
    loss = -(P[0] * torch.log_softmax(o, 0)).sum()
    (expected,) = torch.autograd.grad(loss, o)
    found = numerical_gradient(P[0], o.detach())
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("format", ["float16", "bfloat16", "float32", "float64"])
def test_only_the_joined_form_is_right_everywhere(format):
    report = softmax_stability(format=format)
    (rows,) = report.tables.values()
    written, shifted, joined = ([row[name] for row in rows] for name in list(rows[0])[1:4])
    assert all(isinstance(value, float) for value in shifted + joined)
    assert "NaN" in written
    true = [row["true"] for row in rows]
    assert joined == pytest.approx(true, rel=4 * torch.finfo(getattr(torch, format)).eps)


def test_a_probability_that_rounds_to_zero_has_no_logarithm():
    o = logits_at(0.0, 120.0, 3, torch.float32)
    naive, shifted, joined = errors(o[None]).values()
    assert naive.isinf().all()
    assert shifted.isinf().all()
    assert joined.item() < 1e-6
