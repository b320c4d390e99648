"""Sampling, Bayes' rule and moments against closed forms, simulation and other libraries.

A simulation is asked to lie within five standard deviations: a correct program would fail such a
check for fewer than one seed in a million; the seeds are fixed.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from freedive.core.errors import UsageError
from freedive.topics.probability import distribution as dist
from freedive.topics.probability import moments as m
from freedive.topics.probability.bayes import (
    DiagnosticTest,
    both_positive,
    both_tests,
    evidence,
    posterior,
)
from freedive.topics.probability.diagnosis_lab import diagnosis
from freedive.topics.probability.moments_lab import moments
from freedive.topics.probability.sampling_lab import law_of_large_numbers, slope


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


# distributions


@pytest.mark.parametrize("P", [(1.0,), (0.5, 0.5), (0.2, 0.0, 0.8), (1 / 6,) * 6, (1e-3, 0.999)])
def test_outcomes_come_as_often_as_they_are_probable(P):
    n = 50_000
    drawn = dist.draw(dist.distribution(P), (n,), chance())
    counts = torch.bincount(drawn, minlength=len(P))
    assert len(counts) == len(P)
    for count, p in zip(counts.tolist(), P, strict=True):
        assert abs(count - n * p) <= 5 * math.sqrt(n * p * (1 - p))


def test_an_outcome_of_probability_0_never_comes():
    P = dist.distribution((0.0, 0.5, 0.0, 0.5, 0.0))
    drawn = dist.draw(P, (10_000,), chance())
    assert set(drawn.tolist()) == {1, 3}


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_draws_have_the_shape_that_was_asked_for(shape):
    assert dist.draw(dist.uniform(6), shape, chance()).shape == shape


def test_rounding_leaves_no_gap_at_the_end():
    P = dist.distribution([0.1] * 10)
    assert float(P.cumsum(dim=0)[-1]) < 1  # the gap that a draw could fall into
    assert int(dist.draw(P, (100_000,), chance()).max()) == 9


@pytest.mark.parametrize(
    ("P", "words"),
    [((0.5, 0.6), "sums to 1.1"), ((), "none at all sums to 0"), ((1.5, -0.5), "got -0.5"),
     ((math.nan, 1.0), "got nan"), ((math.inf,), "got inf"), ((0.0, 0.0), "sums to 0")],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(P, words):
    with pytest.raises(UsageError, match=words) as error:
        dist.distribution(P)
    assert "\n" not in str(error.value)


def test_running_frequencies_are_a_slow_loops():
    draws = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
    slow = [[sum(k == 1 for k in row[: i + 1]) / (i + 1) for i in range(5)] for row in draws]
    assert torch.allclose(dist.running_frequencies(draws, 1), torch.tensor(slow).double())


def test_the_deviation_of_a_frequency_is_the_binomials():
    p, n = Fraction(1, 6), 7
    law = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    variance = sum(P * (Fraction(k, n) - p) ** 2 for k, P in enumerate(law))
    assert dist.frequency_deviation(1 / 6, n) == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_marginals_and_conditionals_are_slow_loops():
    joint = torch.rand(3, 4, generator=chance(), dtype=torch.float64)
    joint /= joint.sum()
    table = joint.tolist()
    rows = [sum(row) for row in table]
    columns = [sum(row[b] for row in table) for b in range(4)]
    assert dist.marginal(joint, 0).tolist() == pytest.approx(rows)
    assert dist.marginal(joint, 1).tolist() == pytest.approx(columns)
    given = [table[a][2] / columns[2] for a in range(3)]
    assert dist.conditional(joint, 1, 2).tolist() == pytest.approx(given)
    assert not dist.independent(joint)


def test_nothing_is_said_given_the_impossible():
    joint = torch.tensor([[0.0, 0.0], [0.4, 0.6]], dtype=torch.float64)
    with pytest.raises(UsageError, match="outcome 0 has probability 0"):
        dist.conditional(joint, 0, 0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bounds_are_those_of_all_pairs_of_events(n):
    outcomes = range(4)
    events = [set(e) for k in range(5) for e in itertools.combinations(outcomes, k)]
    p, q = n / 4, 0.5
    pairs = [(A, B) for A in events for B in events if len(A) == n and len(B) == 2]
    meets = [len(A & B) / 4 for A, B in pairs]
    joins = [len(A | B) / 4 for A, B in pairs]
    assert dist.intersection_bounds(p, q) == (min(meets), max(meets))
    assert dist.union_bounds(p, q) == (min(joins), max(joins))


# Bayes' rule


def test_the_books_diagnosis_in_fractions():
    ill, sick, well = (
        Fraction(15, 10_000),
        (1, Fraction(98, 100)),
        (
            Fraction(1, 100),
            Fraction(3, 100),
        ),
    )
    one = ill / (ill + (1 - ill) * well[0])
    two = ill * sick[1] / (ill * sick[1] + (1 - ill) * well[0] * well[1])
    report = diagnosis()
    assert report.numbers["P(H=1 | D1=1)"] == pytest.approx(float(one), rel=1e-12)
    assert report.numbers["P(H=1 | D1=1, D2=1)"] == pytest.approx(float(two), rel=1e-12)
    assert round(float(one), 4) == 0.1306
    assert round(float(two), 4) == 0.8307
    assert report.numbers["updated one after the other"] == pytest.approx(float(two), rel=1e-12)


@pytest.mark.parametrize("overlap", [0.0, 0.4, 1.0])
def test_a_simulated_population_agrees(overlap):
    n, prior = 400_000, 0.3
    first, second = DiagnosticTest(0.8, 0.2), DiagnosticTest(0.7, 0.1)
    ill, u, v, w = torch.rand(4, n, generator=chance(1))
    ill = ill < prior
    v = torch.where(w < overlap, u, v)  # the same luck in both tests
    rates = [torch.where(ill, t.sensitivity, t.false_positive) for t in (first, second)]
    seen = (u < rates[0]) & (v < rates[1])
    P = torch.tensor([1 - prior, prior], dtype=torch.float64)
    both = both_tests(first, second, P, overlap)
    share, expected = float(seen.double().mean()), evidence(P, both)
    assert abs(share - expected) < 5 * dist.frequency_deviation(expected, n)
    ill_share, expected = float(ill[seen].double().mean()), float(posterior(P, both)[1])
    assert abs(ill_share - expected) < 5 * dist.frequency_deviation(expected, int(seen.sum()))


@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("p", "q"), [(0.0, 0.5), (1.0, 0.3), (0.7, 0.6), (0.1, 0.2)])
def test_two_tests_always_have_a_joint_distribution(p, q, overlap):
    low, high = dist.intersection_bounds(p, q)
    assert low <= both_positive(p, q, overlap) <= high


def test_more_than_two_hypotheses():
    prior = dist.distribution((0.5, 0.3, 0.2))
    seen = torch.tensor([0.1, 0.5, 0.5], dtype=torch.float64)
    assert posterior(prior, seen).tolist() == pytest.approx([0.05 / 0.3, 0.15 / 0.3, 0.1 / 0.3])


def test_a_useless_test_changes_nothing():
    report = diagnosis(prior=0.2, sensitivity=0.5, false_positive=0.5)
    assert report.numbers["P(H=1 | D1=1)"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "settings",
    [{"prior": 0.0, "false_positive": 0.0}, {"prior": 1.0, "sensitivity": 0.0},
     {"sensitivity_2": 0.0, "false_positive_2": 0.0}],
)  # fmt: skip
def test_what_cannot_be_seen_says_nothing(settings):
    with pytest.raises(UsageError, match="has probability 0 under every hypothesis"):
        diagnosis(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"prior": 0.0}, {"prior": 1.0}, {"false_positive": 0.0}, {"overlap": 1.0},
     {"sensitivity_2": 0.0}, {"sensitivity": 0.0, "overlap": 1.0}],
)  # fmt: skip
def test_certain_cases_still_give_a_report(settings, tmp_path):
    report = diagnosis(**settings)
    assert 0 <= report.numbers["P(H=1 | D1=1, D2=1)"] <= 1
    assert report.numbers["updated one after the other"] == pytest.approx(
        report.numbers["P(H=1 | D1=1, D2=1)"]
    )
    assert len(report.save(tmp_path)) == 3


# moments


def test_the_books_investment():
    report = moments()
    assert report.numbers["E[X]"] == pytest.approx(1.8, abs=1e-12)
    assert report.numbers["Var[X]"] == pytest.approx(8.36, abs=1e-12)
    assert report.numbers["E[X²] − E[X]²"] == pytest.approx(8.36, abs=1e-12)
    assert abs(report.numbers["its distance in standard errors"]) < 5
    assert report.tables["by hand"][0]["steps"] == "0.5·0 + 0.4·2 + 0.1·10"


@pytest.mark.parametrize("n", [1, 2, 9])
def test_moments_are_numpys_weighted_ones(n):
    values, weights = torch.randn(n, generator=chance(n)), torch.rand(n, generator=chance(n + 1))
    P = (weights / weights.sum()).double()
    X = m.random_number(values.tolist(), P.tolist())
    mean = np.average(values.double().numpy(), weights=P.numpy())
    variance = np.average((values.double().numpy() - mean) ** 2, weights=P.numpy())
    assert X.expectation() == pytest.approx(mean, abs=1e-12)
    assert X.variance() == pytest.approx(variance, abs=1e-12)
    assert X.deviation() == pytest.approx(math.sqrt(variance), abs=1e-9)


def test_a_variance_is_never_negative_though_the_difference_of_squares_may_be():
    X = m.random_number([1e8, 1e8 + 1e-4], [0.3, 0.7])
    assert X.variance() >= 0
    assert m.random_number([1e9 / 3] * 3, [0.2, 0.3, 0.5]).variance() == pytest.approx(0, abs=1e-12)
    assert X.variance() == pytest.approx(0.21e-8, rel=0.05)
    assert abs(m.variance_from_squares(X) - 0.21e-8) > 0.1  # what it loses


@pytest.mark.parametrize("k", [0.5, 1.0, 1.7, 3.0])
def test_chebyshev_is_kept_and_reached(k):
    p = m.chebyshev(k) / 2  # the two-sided distribution that reaches it
    X = m.random_number([-1.0, 0.0, 1.0], [p, 1 - 2 * p, p])
    if k >= 1:
        assert X.outside((1 - 1e-9) * k * X.deviation()) == pytest.approx(m.chebyshev(k))
    assert X.outside(k * X.deviation()) <= m.chebyshev(k) + 1e-12


def test_densities_have_the_moments_of_their_formulas():
    density = m.normal_density(2.0, 0.5)
    inside = m.integral(density, 1.5, 2.5)
    assert inside == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-8)
    normal = torch.distributions.Normal(2.0, 0.5)
    x = torch.linspace(0, 4, 9)
    assert torch.allclose(density(x), normal.log_prob(x).exp())
    with pytest.raises(UsageError, match="deviation above 0, got -1"):
        m.normal_density(0.0, -1.0)
    with pytest.raises(UsageError, match="deviation above 0"):
        m.normal_density(0.0, math.nan)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"values": (1.0, 2.0)}, "got 2 and 3"), ({"probabilities": (0.5, 0.4, 0.2)}, "sums to 1.1"),
     ({"probabilities": (1.1, -0.1, 0.0)}, "got -0.1"),
     ({"values": (math.nan, 1.0, 2.0)}, "values want to be numbers"),
     ({"values": (), "probabilities": ()}, "sums to 0")],
)  # fmt: skip
def test_what_is_no_random_number_is_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        moments(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"values": (3.0,), "probabilities": (1.0,)}, {"p_a": 0.0, "p_b": 1.0}, {"draws": 10},
     {"values": (-1e6, 1e6), "probabilities": (0.5, 0.5)}, {"p_a": 0.2, "p_b": 0.3}],
)  # fmt: skip
def test_extreme_random_numbers_still_give_a_report(settings, tmp_path):
    assert len(moments(**settings).save(tmp_path)) == 3


# the law of large numbers


def test_the_error_falls_as_one_over_the_root():
    report = law_of_large_numbers(draws=2000, groups=400)
    assert report.numbers["slope of the error, log by log"] == pytest.approx(-0.5, abs=0.05)
    (title,) = [title for title in report.tables if "by throws" in title]
    for row in report.tables[title]:
        # a root mean square of 400 is off by about 3.5 %, at small n more
        assert row["error (root mean square)"] == pytest.approx(row["√(p(1−p)/n)"], rel=0.25)
        if row["n"] >= 30:
            assert 0.88 < row["inside the band"] < 1


def test_all_throws_together_come_near_the_probabilities():
    report = law_of_large_numbers(probabilities=(0.7, 0.2, 0.1), draws=1000, groups=50)
    rows = report.tables["all groups together"]
    assert [row["probability"] for row in rows] == pytest.approx([0.7, 0.2, 0.1])
    for row in rows:
        assert abs(row["frequency"] - row["probability"]) < 5 * row["sd by formula"]


def test_throws_come_from_the_seed():
    def tables(seed: int) -> object:
        return law_of_large_numbers(2, draws=100, groups=20, seed=seed).tables

    assert tables(3) == tables(3)
    assert tables(3) != tables(4)


@pytest.mark.parametrize(
    "settings",
    [{"probabilities": (1.0,)}, {"probabilities": (1.0, 0.0)}, {"faces": 12}, {"faces": 2}],
)
def test_the_fewest_throws_and_certain_faces_still_give_a_report(settings, tmp_path):
    report = law_of_large_numbers(**settings, draws=10, groups=10)
    assert len(report.save(tmp_path)) == 2


def test_too_many_throws_and_no_distribution_are_refused():
    with pytest.raises(UsageError, match="100,000,000, more than 20,000,000"):
        law_of_large_numbers(draws=100_000, groups=1000)
    with pytest.raises(UsageError, match=r"sums to 0\.9"):
        law_of_large_numbers(probabilities=(0.5, 0.4))


def test_the_slope_of_a_power_law_is_its_power():
    rows = [{"n": n, "error (root mean square)": 3 * n**-0.5} for n in (1, 4, 30, 1000)]
    assert slope(rows) == pytest.approx(-0.5, abs=1e-12)
