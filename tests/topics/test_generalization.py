"""Cross-validation, polynomials, weight decay, bounds, neighbours and label noise by themselves."""

import math
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.core.trainer import Trainer
from freedive.topics.generalization import bounds, neighbours
from freedive.topics.generalization.adaptive import choose
from freedive.topics.generalization.concise import WeightDecay
from freedive.topics.generalization.double_descent import errors, least_norm, problem
from freedive.topics.generalization.k_fold import CrossValidation, cross_validate, k_fold
from freedive.topics.generalization.label_noise import Nets, draw_task, learn, stopping_epoch
from freedive.topics.generalization.many_inputs import ManyInputs
from freedive.topics.generalization.penalties import lasso, ridge, soft_threshold
from freedive.topics.generalization.polynomial import Sample, draw, error, fit, judge_fit, powers
from freedive.topics.generalization.scratch import WeightDecayScratch, l2_penalty

FORMS = [WeightDecayScratch, WeightDecay]


def doubles(*shape, seed=0):
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=chance, dtype=torch.float64)


# cross-validation


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 60), data=st.data())
def test_folds_are_disjoint_and_complete(n, data):
    k, seed = data.draw(st.integers(2, n)), data.draw(st.integers(0, 1000))
    splits = k_fold(n, k, seed)
    held_out = [i for _, val in splits for i in val.tolist()]
    assert sorted(held_out) == list(range(n))
    sizes = sorted(len(val) for _, val in splits)
    assert len(sizes) == k
    assert sizes == sorted(n // k + (fold < n % k) for fold in range(k))  # a slow loop's sizes
    for train, val in splits:
        assert train.dtype == val.dtype == torch.long
        assert set(train.tolist()) == set(range(n)) - set(val.tolist())


def test_folds_are_a_function_of_the_seed_and_leave_no_trace():
    state = torch.get_rng_state()
    first, again, other = k_fold(30, 4, 1), k_fold(30, 4, 1), k_fold(30, 4, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][1], other[0][1])
    assert not torch.equal(torch.cat([val for _, val in first]), torch.arange(30))  # shuffled


@pytest.mark.parametrize(
    ("n", "k", "told"),
    [(10, 1, "at least 2 folds, got 1"), (3, 4, "at least 4 examples, got 3"), (0, 2, "got 0"),
     (10, -1, "got -1")],
)  # fmt: skip
def test_impossible_folds_are_refused(n, k, told):
    with pytest.raises(UsageError, match=told):
        k_fold(n, k)


def test_cross_validation_trains_afresh_each_round_and_weighs_uneven_folds():
    y = doubles(11)
    met = []

    def one_round(train, val):
        met.append((train, val))
        mean = y[train].mean()
        return float((y[train] - mean).square().mean()), float((y[val] - mean).square().mean())

    found = cross_validate(one_round, 11, 4, seed=3)
    assert len(met) == 4
    squares = [float((y[i] - y[t].mean()) ** 2) for t, v in met for i in v]
    assert found.val_error == pytest.approx(np.mean(squares))  # each example counts once
    assert found.train_error == pytest.approx(float(found.train.mean()))


def test_uneven_folds_do_not_count_the_same():
    cv = CrossValidation(torch.zeros(2), torch.tensor([1.0, 4.0]), torch.tensor([3, 1]))
    assert cv.val_error == 1.75


# polynomials


@pytest.mark.parametrize("degree", [0, 1, 5, 9])
def test_a_fit_is_numpys(degree):
    sample = draw("sine", 30, noise=0.3, seed=1)
    reference = np.polynomial.polynomial.polyfit(sample.x.numpy(), sample.y.numpy(), degree)
    weights = fit(sample, degree)
    assert weights.numpy() == pytest.approx(reference, rel=1e-7, abs=1e-8)
    residual = np.polynomial.polynomial.polyval(sample.x.numpy(), reference) - sample.y.numpy()
    assert float(error(weights, sample)) == pytest.approx(np.mean(residual**2))


def test_samples_side_by_side_are_fitted_one_by_one():
    many = draw("cubic", 4, 12, noise=0.1, seed=0)
    for weights, x, y in zip(fit(many, 3), many.x, many.y, strict=True):
        assert torch.allclose(weights, fit(Sample(x, y), 3), atol=1e-9)


@pytest.mark.parametrize("lambd", [1e-3, 0.1, 10.0])
def test_a_penalised_fit_has_the_closed_form_and_spares_the_bias(lambd):
    sample, degree = draw("sine", 15, noise=0.3, seed=2), 6
    A = powers(sample.x, degree).numpy()
    penalty = np.diag([0.0, *[1.0] * degree])
    closed = np.linalg.solve(A.T @ A + 15 * lambd * penalty, A.T @ sample.y.numpy())
    assert fit(sample, degree, ridge=lambd).numpy() == pytest.approx(closed, rel=1e-6)


def test_without_noise_the_books_cubic_is_found():
    weights = fit(draw("cubic", 20, noise=0.0, seed=0), 5)
    expected = [5, 1.2, -3.4 / 2, 5.6 / 6, 0, 0]
    assert weights.tolist() == pytest.approx(expected, abs=1e-9)


def test_as_many_weights_as_examples_interpolate_and_one_more_is_refused():
    sample = draw("sine", 6, noise=0.5, seed=0)
    assert float(error(fit(sample, 5), sample)) < 1e-20
    with pytest.raises(UsageError, match="degree 6 wants at least 7 examples, got 6"):
        fit(sample, 6)
    assert fit(sample, 6, ridge=0.1).isfinite().all()


def test_what_two_errors_say():
    assert judge_fit(0.1, 0.12, 0.1) == "fits"
    assert judge_fit(0.4, 0.5, 0.1) == "underfits"
    assert judge_fit(0.01, 0.5, 0.1) == "overfits"


# weight decay


def twins(num_inputs=6, lambd=0.7, lr=0.05):
    """Both forms with equal weights."""
    scratch, concise = (form(num_inputs, lambd, lr) for form in FORMS)
    with torch.no_grad():
        concise.net.weight.copy_(scratch.w.T)
        concise.net.bias.copy_(scratch.b)
    return scratch, concise


@pytest.mark.parametrize("lambd", [0.0, 0.7])
def test_both_forms_learn_along_one_curve(lambd):
    data, models = ManyInputs(6, num_train=18, num_val=5), twins(lambd=lambd)
    curves = []
    for model in models:
        history = Trainer(max_epochs=8, seed=0, device="cpu", progress=False).fit(model, data)
        curves.append([*history["train_loss"], *history["val_loss"]])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    for scratch, concise in zip(*(model.get_w_b() for model in models), strict=True):
        assert torch.allclose(scratch, concise, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_training_ends_at_the_closed_form_of_ridge(form):
    data, lambd = ManyInputs(8, noise=0.1, num_train=12, batch_size=12), 0.5
    torch.manual_seed(0)
    model = form(8, lambd, lr=0.2)
    Trainer(max_epochs=150, seed=0, device="cpu", progress=False).fit(model, data)
    X, y = data.X[:12].double().numpy(), data.y[:12, 0].double().numpy()
    X, y = X - X.mean(axis=0), y - y.mean()  # the bias is free
    w = np.linalg.solve(X.T @ X / 12 + lambd * np.eye(8), X.T @ y / 12)
    assert model.get_w_b()[0].numpy() == pytest.approx(w, abs=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_the_recorded_loss_has_no_penalty(form):
    data, model = ManyInputs(6, batch_size=20), form(6, lambd=100.0, lr=1e-9, sigma=1.0)
    history = Trainer(max_epochs=1, seed=0, device="cpu", progress=False).fit(model, data)
    X, y = data.X[:20], data.y[:20]
    w, b = model.get_w_b()
    assert history.last["train_loss"] == pytest.approx(
        float(((X @ w[:, None] + b - y) ** 2).mean() / 2), rel=1e-4
    )


def test_the_penalty_is_half_the_square_and_its_gradient_the_weights():
    w = doubles(7).requires_grad_()
    penalty = l2_penalty(w)
    penalty.backward()
    assert penalty.item() == pytest.approx(np.sum(w.detach().numpy() ** 2) / 2)
    assert torch.equal(w.grad, w.detach())
    assert float(l2_penalty(torch.zeros(0))) == 0.0


def test_many_inputs_follow_their_law_and_are_no_models_first_weights():
    data = ManyInputs(num_train=4000, num_val=1)
    assert (data.X.shape[1], data.model_arguments()) == (200, {"num_inputs": 200})
    noise = data.y - 0.05 - 0.01 * data.X.sum(dim=1, keepdim=True)
    assert float(noise.std()) == pytest.approx(0.01, rel=0.05)
    assert float(data.y.var()) / 2 == pytest.approx(data.constant_loss, rel=0.1)
    torch.manual_seed(0)
    assert not torch.allclose(WeightDecayScratch().w[:, 0], 0.01 * ManyInputs().X[0])
    assert torch.equal(ManyInputs().X, ManyInputs().X)
    assert ManyInputs(data_seed=1).fingerprint() != ManyInputs().fingerprint()


@pytest.mark.parametrize("bad", [{"num_inputs": 0}, {"noise": -1.0}, {"num_train": 0}])
def test_bad_data_arguments_are_refused(bad):
    with pytest.raises(UsageError):
        ManyInputs(**bad)


def test_ridge_solves_its_equation_and_lasso_its_conditions():
    X, y = doubles(20, 30), doubles(20, seed=1)
    w = ridge(X, y, 0.3)
    closed = np.linalg.solve(
        X.numpy().T @ X.numpy() / 20 + 0.3 * np.eye(30), X.numpy().T @ y.numpy() / 20
    )
    assert w.numpy() == pytest.approx(closed)
    gradient = X.T @ (X @ (s := lasso(X, y, 0.2)) - y) / 20
    assert float(gradient.abs().max()) <= 0.2 + 1e-6
    assert torch.allclose(gradient[s != 0], -0.2 * s[s != 0].sign(), atol=1e-5)
    assert not lasso(X, y, float((X.T @ y / 20).abs().max())).any()  # from here on all are 0
    with pytest.raises(UsageError, match="got 0: use least_squares"):
        ridge(X, y, 0.0)
    assert soft_threshold(torch.tensor([3.0, -3.0, 0.5]), 1.0).tolist() == [2.0, -2.0, 0.0]


# bounds


def slow_tail(n, margin, error, sides):
    """By whole-number binomials, one count at a time."""
    total = 0.0
    for k in range(n + 1):
        gap = k / n - error
        if (abs(gap) if sides == "two" else gap) >= margin - 1e-12:
            total += math.comb(n, k) * error**k * (1 - error) ** (n - k)
    return total


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 80),
    margin=st.floats(0.01, 0.6),
    error=st.floats(0.0, 1.0),
    sides=st.sampled_from(["one", "two"]),
)
def test_tails_are_those_of_a_slow_sum_and_below_hoeffdings_bound(n, margin, error, sides):
    exact = bounds.binomial_tail(n, margin, error, sides)
    assert exact == pytest.approx(slow_tail(n, margin, error, sides), abs=1e-9)
    assert exact <= bounds.hoeffding_bound(n, margin, sides) + 1e-9


@pytest.mark.parametrize(("margin", "confidence"), [*product((0.01, 0.03, 0.2), (0.6, 0.95, 0.99))])
@pytest.mark.parametrize("sides", ["one", "two"])
def test_sample_sizes_are_the_smallest_that_do(margin, confidence, sides):
    missed = 1 - confidence + 1e-12
    n = bounds.hoeffding_sample_size(margin, confidence, sides)
    assert bounds.hoeffding_bound(n, margin, sides) <= missed
    assert n == 1 or bounds.hoeffding_bound(n - 1, margin, sides) > missed
    n = bounds.normal_sample_size(margin, confidence, sides)
    assert bounds.normal_tail(n, margin, sides=sides) <= missed
    assert n == 1 or bounds.normal_tail(n - 1, margin, sides=sides) > missed


def test_the_books_sample_sizes():
    assert bounds.whole_from(0.25 / 0.01**2) == 2500
    assert bounds.normal_sample_size(0.01, 0.95) == 9604
    assert bounds.hoeffding_sample_size(0.01, 0.95, "one") == 14_979
    assert bounds.hoeffding_sample_size(0.01, 0.95, "two") == 18_445
    assert bounds.family_error(0.05, 20) == pytest.approx(0.6415, abs=5e-5)
    spread = NormalDist(0.5, 0.01)
    assert bounds.normal_tail(2500, 0.01) == pytest.approx(2 * spread.cdf(0.49))


@pytest.mark.parametrize(("margin", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.1, 0), (0.1, 1.2)])
def test_margins_and_confidences_lie_between_0_and_1(margin, confidence):
    for size in (bounds.normal_sample_size, bounds.hoeffding_sample_size):
        with pytest.raises(UsageError, match="wants a number between 0 and 1"):
            size(margin, confidence)


def test_the_chosen_coin_and_the_vote_are_those_of_a_loop():
    found = choose(31, 9, seed=4)
    right = (torch.rand(9, 31, generator=generator(4, 1)) < 0.5).numpy()
    for k in range(1, 10):
        accuracy = right[:k].mean(axis=1)
        assert float(found.best[k - 1]) == pytest.approx(accuracy.max())
        votes = sum(
            (2.0 * r - 1 for r, a in zip(right[:k], accuracy, strict=True) if a > 0.5), np.zeros(31)
        )
        assert float(found.vote[k - 1]) == pytest.approx(((np.sign(votes) + 1) / 2).mean())


# double descent


def test_least_norm_is_the_pseudoinverse_and_ridge_its_closed_form():
    y = doubles(12, seed=1)
    for width in (1, 5, 12, 40):
        A = doubles(12, width, seed=width)
        assert least_norm(A, y).numpy() == pytest.approx(np.linalg.pinv(A.numpy()) @ y.numpy())
        assert torch.allclose(least_norm(A, y, 0.2), ridge(A, y, 0.2))
    assert not least_norm(torch.zeros(12, 3, dtype=torch.float64), y).any()


def test_wide_models_interpolate_and_narrow_ones_do_not():
    task = problem(20, 0.5, 60, seed=0, num_fresh=50)
    assert errors(task, 5).train > 0.01
    assert errors(task, 60).train < 1e-20
    assert errors(task, 60, ridge=0.1).train > 1e-4
    found = errors(task, 5)
    assert found.gap == pytest.approx(found.test + 0.25 - found.train)


# neighbours


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 25),
    queries=st.integers(0, 6),
    metric=st.sampled_from(["euclidean", "manhattan", "maximum"]),
    data=st.data(),
)
def test_neighbours_are_those_of_a_slow_loop(n, queries, metric, data):
    k, seed = data.draw(st.integers(1, n)), data.draw(st.integers(0, 100))
    points, Q = doubles(n, 3, seed=seed), doubles(queries, 3, seed=seed + 1)
    labels = torch.randint(4, (n,), generator=torch.Generator().manual_seed(seed))
    norm = {"euclidean": 2, "manhattan": 1, "maximum": np.inf}[metric]
    found = neighbours.k_nearest(Q, points, k, metric)
    guesses = neighbours.classify(Q, points, labels, k, metric)
    assert found.shape == (queries, k)
    for q, near, guess in zip(Q.numpy(), found, guesses, strict=True):
        distances = [np.linalg.norm(q - p, ord=norm) for p in points.numpy()]
        order = sorted(range(n), key=distances.__getitem__)[:k]
        assert near.tolist() == order
        votes = [sum(int(labels[i]) == c for i in order) for c in range(4)]
        assert int(guess) == votes.index(max(votes))


@pytest.mark.parametrize("k", [0, 4, -1])
def test_a_number_of_neighbours_that_is_not_there_is_refused(k):
    with pytest.raises(UsageError, match=f"from 1 to 3, the points, got {k}"):
        neighbours.classify(doubles(2, 2), doubles(3, 2), torch.tensor([0, 1, 1]), k)


def test_labels_are_flipped_as_often_as_asked_and_told():
    X, y, flipped = neighbours.draw_classes(5000, 0.2, seed=0)
    assert float(flipped.float().mean()) == pytest.approx(0.2, abs=0.025)
    assert torch.equal(y != neighbours.true_class(X), flipped)
    truth = neighbours.true_class(X)
    assert neighbours.noisy_error(truth, truth, 0.2) == pytest.approx(0.2)
    assert neighbours.noisy_error(1 - truth, truth, 0.2) == pytest.approx(0.8)
    assert neighbours.limit_error(0.2) == pytest.approx(0.32)


# label noise


def test_nets_side_by_side_are_nets_one_by_one():
    nets, X = Nets(3, 4, 5, seed=0), torch.randn(3, 7, 4)
    for i in range(3):
        single = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
        with torch.no_grad():
            single[0].weight.copy_(nets.W1[i].T)
            single[0].bias.copy_(nets.b1[i, 0])
            single[2].weight.copy_(nets.W2[i].T)
            single[2].bias.copy_(nets.b2[i, 0])
        assert torch.allclose(nets(X)[i], single(X[i]), atol=1e-6)


def test_wrong_labels_are_wrong_and_only_test_labels_are_true():
    task = draw_task(2, 2000, 0.3, seed=0)
    assert float(task.flipped.float().mean()) == pytest.approx(0.3, abs=0.03)
    course = learn(draw_task(2, 60, 0.0, seed=0), width=32, max_epochs=2, seed=0)
    assert course.flipped.isnan().all()
    assert course.clean.shape == course.test.shape == (2, 2)
    again = learn(draw_task(2, 60, 0.0, seed=0), width=32, max_epochs=2, seed=0)
    assert torch.equal(course.test, again.test)


def slow_stop(errors, patience, min_delta):
    """Straight from the sentence: nothing better than the best by ε for `patience` epochs."""
    best, waited, kept = math.inf, 0, 0
    for epoch, value in enumerate(errors):
        if value < best - min_delta:
            best, waited, kept = value, 0, epoch
        else:
            waited += 1
        if waited >= patience:
            return epoch, kept
    return len(errors) - 1, kept


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=15),
    st.integers(1, 5),
    st.sampled_from([0.0, 1.5]),
)
def test_early_stopping_waits_as_long_as_its_patience(errors, patience, min_delta):
    found = stopping_epoch(torch.tensor(errors, dtype=torch.float64), patience, min_delta)
    assert found == slow_stop(errors, patience, min_delta)


@pytest.mark.parametrize(("epochs", "patience"), [(0, 3), (4, 0)])
def test_early_stopping_wants_epochs_and_patience(epochs, patience):
    with pytest.raises(UsageError, match="early stopping wants an epoch and a patience"):
        stopping_epoch(torch.ones(epochs), patience)
