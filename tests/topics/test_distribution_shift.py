"""Shift and its corrections, and the loops: against closed forms, NumPy and slow loops."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from freedive import catalog
from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.distribution_shift import bandits, claims, control, errata
from freedive.topics.distribution_shift.bandit_lab import bandit
from freedive.topics.distribution_shift.concept_lab import concept_shift
from freedive.topics.distribution_shift.covariate_lab import covariate_shift
from freedive.topics.distribution_shift.drifting import (
    DriftingWorld,
    OnlineLearner,
    Refitter,
    moving_average,
)
from freedive.topics.distribution_shift.label_lab import label_shift
from freedive.topics.distribution_shift.label_prior import (
    confusion_matrix,
    label_weights,
    shares,
    solve,
    target_prior,
)
from freedive.topics.distribution_shift.loops import interact
from freedive.topics.distribution_shift.scratch import (
    density_ratio,
    effective_sample_size,
    fit_classifier,
)
from freedive.topics.distribution_shift.shifts import (
    class_means,
    concept_error,
    concept_sample,
    covariate_sample,
    label_logits,
    label_sample,
    log_ratio,
)

MEANS = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)


def drawn(*shape, stream=0):
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


# the weighted classifier


@pytest.mark.parametrize(("classes", "d"), [(2, 1), (3, 2), (5, 4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_the_minimum_of_the_weighted_risk(classes, d, weighted):
    X, y = drawn(80, d), torch.arange(80) % classes
    beta = drawn(80, stream=1).exp() if weighted else None
    found = fit_classifier(X, y, classes, beta, l2=0.01)
    W, b = found.W.clone().requires_grad_(), found.b.clone().requires_grad_()
    losses = F.cross_entropy(X @ W + b, y, reduction="none")
    risk = (losses * (1 if beta is None else beta)).mean()
    (risk + 0.005 * ((W**2).sum() + (b**2).sum())).backward()
    torch.testing.assert_close(W.grad, torch.zeros_like(W), atol=1e-8, rtol=0)
    torch.testing.assert_close(b.grad, torch.zeros_like(b), atol=1e-8, rtol=0)


def test_whole_weights_are_repeated_examples():
    X, y, times = drawn(30, 2), torch.arange(30) % 2, torch.arange(30) % 4
    weighted = fit_classifier(X, y, 2, times * 30.0 / times.sum())
    repeated = fit_classifier(X.repeat_interleave(times, 0), y.repeat_interleave(times), 2)
    torch.testing.assert_close(weighted.W, repeated.W, atol=1e-6, rtol=0)


def test_separable_classes_and_single_precision_are_no_trouble():
    X = torch.tensor([[-3.0], [-1.0], [1.0], [500.0]])
    found = fit_classifier(X, torch.tensor([0, 0, 1, 1]), 2)
    assert found.W.dtype == X.dtype
    assert found.W.isfinite().all()
    assert found.predict(X).tolist() == [0, 0, 1, 1]


def test_one_example_and_one_class():
    found = fit_classifier(torch.ones(1, 2), torch.tensor([1]), 3)
    assert found.predict(torch.ones(4, 2)).tolist() == [1] * 4
    with pytest.raises(UsageError, match="at least 1 example, got 0"):
        fit_classifier(torch.ones(0, 2), torch.zeros(0, dtype=torch.int64), 2)


def test_weights_in_the_logits_are_bayes_rule():
    p = torch.tensor([0.1, 0.3, 0.6], dtype=torch.float64)
    q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    X = drawn(100, 2)
    likelihoods = torch.stack(
        [torch.exp(-((X - m) ** 2).sum(1) / 2) for m in class_means(3, 2.0)], dim=1
    )
    slow = (likelihoods * p).argmax(dim=1)
    assert torch.equal(label_logits(X, p, 2.0).argmax(dim=1), slow)
    assert torch.equal((label_logits(X, q, 2.0) + (p / q).log()).argmax(dim=1), slow)


# the density ratio


@pytest.mark.parametrize(("n", "m"), [(4000, 4000), (4000, 1000), (1000, 4000)])
def test_the_learnt_ratio_is_the_gaussians_own(n, m):
    mu = torch.tensor([0.5, -0.3, 0.0], dtype=torch.float64)
    source, target = drawn(n, 3), drawn(m, 3, stream=1) + mu
    ratio = density_ratio(source, target)
    torch.testing.assert_close(ratio.w, mu, atol=0.12, rtol=0)
    X = drawn(50, 3, stream=2)
    exact = (
        torch.distributions.MultivariateNormal(mu, torch.eye(3).double()).log_prob(X)
        - torch.distributions.MultivariateNormal(0 * mu, torch.eye(3).double()).log_prob(X)
    )  # fmt: skip
    assert float((ratio.weights(X).log() - exact).abs().mean()) < 0.12
    assert float(ratio.weights(source).mean()) == pytest.approx(1, abs=0.05)


def test_equal_samples_weigh_one_and_weights_are_cut_off():
    X = drawn(40, 2)
    torch.testing.assert_close(density_ratio(X, X).weights(X), torch.ones(40).double())
    far = density_ratio(X, X + 5)
    assert float(far.weights(X + 5, largest=3.0).max()) == 3.0
    for empty in ((X, X[:0]), (X[:0], X)):
        with pytest.raises(UsageError, match="wants inputs of both sides"):
            density_ratio(*empty)


def test_the_exact_ratio_of_the_generator_is_that_of_its_densities():
    X = covariate_sample(40, 0.3, generator(1)).X
    p, q = torch.distributions.Normal(1.2, 1), torch.distributions.Normal(-0.4, 1)
    torch.testing.assert_close(log_ratio(X, -0.4, 1.2), p.log_prob(X[:, 0]) - q.log_prob(X[:, 0]))


def test_effective_examples():
    assert effective_sample_size(torch.ones(7)) == 7
    assert effective_sample_size(torch.tensor([0.0, 0.0, 5.0])) == 1


# the confusion-matrix solve


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_elimination_is_numpys_solve(k):
    A, b = drawn(k, k), drawn(k, stream=1)
    np.testing.assert_allclose(solve(A, b), np.linalg.solve(A.numpy(), b.numpy()), atol=1e-9)


def test_elimination_changes_rows_where_a_pivot_is_zero():
    A = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([2.0, 3.0], dtype=torch.float64)
    assert solve(A, b).tolist() == [3.0, 2.0]
    assert A.tolist() == [[0.0, 1.0], [1.0, 0.0]]  # what was given stays
    assert solve(torch.zeros(0, 0).double(), torch.zeros(0).double()).tolist() == []


def test_the_confusion_matrix_counts_as_a_slow_loop():
    y, y_hat = torch.arange(60) % 3, torch.arange(60) // 7 % 3
    C = confusion_matrix(y_hat, y, 3)
    for i in range(3):
        for j in range(3):
            both = sum(int(a == i and b == j) for a, b in zip(y_hat, y, strict=True))
            assert float(C[i, j]) == pytest.approx(both / 20)
    with pytest.raises(UsageError, match="got none of class 3"):
        confusion_matrix(y_hat, y, 4)


def test_the_target_prior_is_a_distribution_and_exact_on_exact_shares():
    C = torch.tensor([[0.8, 0.3], [0.2, 0.7]], dtype=torch.float64)
    p = torch.tensor([0.15, 0.85], dtype=torch.float64)
    torch.testing.assert_close(target_prior(C, C @ p), p)
    beyond = target_prior(C, torch.tensor([0.95, 0.05], dtype=torch.float64))
    assert beyond.tolist() == [1.0, 0.0]
    assert shares(torch.tensor([1, 1, 0, 1]), 3).tolist() == [0.25, 0.75, 0.0]
    with pytest.raises(UsageError, match="at least 1 label, got 0"):
        shares(torch.zeros(0, dtype=torch.int64), 2)


def test_a_singular_confusion_matrix_says_so():
    for C in (torch.full((2, 2), 0.5), torch.tensor([[1.0, 1.0], [0.0, 0.0]])):
        with pytest.raises(UsageError, match="confusion matrix is singular, its column 1") as told:
            target_prior(C.double(), torch.tensor([0.5, 0.5]).double())
        assert "\n" not in str(told.value)


def test_weights_of_labels():
    q, p = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.75, 0.0])
    assert label_weights(p, q).tolist() == [0.5, 1.5, 0.0]
    with pytest.raises(
        UsageError, match=r"class 2 makes up 0\.5 of the target and 0 of the source"
    ):
        label_weights(torch.tensor([0.5, 0.0, 0.5]), q)


# the generators


def test_each_shift_changes_what_it_says_and_nothing_else():
    near, far = (covariate_sample(40_000, c, generator(0, 1)) for c in (-1.0, 1.0))
    for sample in (near, far):  # P(y | x) is the same wherever x is
        likely = torch.sigmoid(4 * (sample.X[:, 1] - sample.X[:, 0] ** 2 / 2))
        for low in (0.0, 0.4, 0.8):
            inside = (likely >= low) & (likely < low + 0.2)
            assert float(sample.y[inside].double().mean() - likely[inside].mean()) == pytest.approx(
                0, abs=0.03
            )
    prior = torch.tensor([0.2, 0.8], dtype=torch.float64)
    sample = label_sample(20_000, prior, 3.0, generator(0, 2))
    torch.testing.assert_close(shares(sample.y, 2), prior, atol=0.012, rtol=0)
    for label, mean in enumerate(class_means(2, 3.0)):
        own = sample.X[sample.y == label]
        torch.testing.assert_close(own.mean(dim=0), mean, atol=0.06, rtol=0)
    assert float((class_means(5, 2.0)[0] - class_means(5, 2.0)[1]).norm()) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("w", "angle"), [((1.0, 0.0), 0.6), ((0.0, 2.0), -2.5), ((-1.0, 0.1), 3.1)]
)
def test_the_error_of_a_direction_has_a_closed_form(w, angle):
    X, y = concept_sample(40_000, angle, 0.1, generator(0, 3))
    w = torch.tensor(w, dtype=torch.float64)
    counted = float(((X @ w > 0).long() != y).double().mean())
    assert concept_error(w, angle, 0.1) == pytest.approx(counted, abs=0.012)


# the loops


def test_the_loop_goes_in_order_and_learners_see_the_same_data():
    called = []

    class Told:
        def observe(self):
            called.append("observe")
            return torch.ones(1)

        def act(self, seen):
            called.append("act")
            return seen

        def respond(self, action):
            called.append("respond")
            return action, 2 * action

        def learn(self, seen, action, told):
            called.append("learn")

    agent = Told()
    assert interact(agent, agent, 2).tolist() == [[2.0], [2.0]]
    assert called == ["observe", "act", "respond", "learn"] * 2
    assert len(interact(agent, agent, 0)) == 0
    first, second = (DriftingWorld("gradual", 1.0, 9, 4, 0.1, seed=5) for _ in range(2))
    assert torch.equal(first.observe(), second.observe())


def test_an_online_step_is_autograds():
    learner, X, y = OnlineLearner(0.7), drawn(6, 2), torch.arange(6) % 2
    learner.w = torch.tensor([0.3, -0.2], dtype=torch.float64)
    w = learner.w.clone().requires_grad_()
    F.binary_cross_entropy_with_logits(X @ w, y.double()).backward()
    learner.learn(X, y, y)
    torch.testing.assert_close(learner.w, w.detach() - 0.7 * w.grad)


def test_refits_keep_their_window_and_batch_learning_stops():
    window, batch = Refitter(every=1, window=10), Refitter(stop=8)
    for i in range(6):
        X, y = drawn(4, 2, stream=i), torch.tensor([0, 1, 0, 1])
        window.learn(X, y, y)
        batch.learn(X, y, y)
        if i == 1:
            stopped = batch.classifier
    assert len(window.X) == 10
    torch.testing.assert_close(window.X[-4:], X)
    assert batch.classifier is stopped
    assert len(batch.X) == 8
    fresh = fit_classifier(window.X, window.y, 2, l2=1e-3)
    torch.testing.assert_close(window.classifier.W, fresh.W)


def test_concepts_turn_as_asked():
    for kind, expected in (
        ("gradual", [0, 0.5, 1, 1.5, 2]),
        ("abrupt", [0, 0, 0, 2, 2]),
        ("none", [0] * 5),
    ):
        world = DriftingWorld(kind, 2.0, 5, 1, 0.0, 0)
        assert [world.concept(step) for step in range(5)] == pytest.approx(expected)


def test_a_moving_average_is_that_of_a_slow_loop():
    values = drawn(12)
    slow = [float(values[max(0, i - 2) : i + 1].mean()) for i in range(12)]
    np.testing.assert_allclose(moving_average(values, 3), slow, atol=1e-12)
    assert len(moving_average(values[:0], 3)) == 0


# bandits


def test_regret_of_a_known_optimum_and_of_chance():
    arms = bandits.Arms(MEANS, 400, 0)
    assert float(interact(bandits.Oracle(MEANS, 400, 0), arms, 30).sum()) == 0
    any_arm = interact(bandits.Policy(3, 400, 0), bandits.Arms(MEANS, 400, 0), 100)
    assert float(any_arm.mean()) == pytest.approx(0.3, abs=0.006)  # (0.6 + 0.3 + 0) / 3


def test_ucb_pulls_as_a_slow_loop_would():
    policy, arms = bandits.UCB(3, 1, 0), bandits.Arms(MEANS, 1, 0)
    pulls, paid = [0] * 3, [0.0] * 3
    for t in range(1, 200):
        action = policy.act(arms.observe())
        arm = int(action)
        if t <= 3:
            assert pulls[arm] == 0  # each arm once
        else:
            upper = [
                paid[a] / pulls[a] + math.sqrt(2 * math.log(t - 1) / pulls[a]) for a in range(3)
            ]
            assert upper[arm] == pytest.approx(max(upper), abs=1e-8)
        reward, _ = arms.respond(action)
        policy.learn(arms.observe(), action, reward)
        pulls[arm] += 1
        paid[arm] += float(reward)
    assert policy.pulls[0].tolist() == pulls
    assert policy.paid[0].tolist() == paid


def test_epsilon_is_the_share_of_chance():
    policy = bandits.EpsilonGreedy(2, 20_000, 0, epsilon=0.3)
    policy.pulls += 10
    policy.paid[:, 1] += 5
    assert float(policy.act(torch.zeros(20_000)).double().mean()) == pytest.approx(0.85, abs=0.01)


def test_thompson_pulls_an_arm_as_often_as_it_may_be_best():
    policy = bandits.Thompson(2, 20_000, 0)
    policy.pulls += torch.tensor([1.0, 0.0])
    policy.paid += torch.tensor([1.0, 0.0])  # Beta(2, 1) against Beta(1, 1): 2/3
    first = (policy.act(torch.zeros(20_000)) == 0).double().mean()
    assert float(first) == pytest.approx(2 / 3, abs=0.012)


def test_bounds_of_regret():
    t = torch.tensor([100])
    gaps = [0.6, 0.3]
    slow = sum(8 * math.log(100) / g + (1 + math.pi**2 / 3) * g for g in gaps)
    assert float(bandits.ucb_bound(MEANS, t)) == pytest.approx(slow)
    bernoulli = torch.distributions.Bernoulli
    kl = torch.distributions.kl_divergence(bernoulli(MEANS[:2]), bernoulli(MEANS[2]))
    assert bandits.lowest_slope(MEANS) == pytest.approx(float((MEANS[2] - MEANS[:2]) @ (1 / kl)))
    equal = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert bandits.lowest_slope(equal) == 0
    assert float(bandits.ucb_bound(equal, t)) == 0


# control


@pytest.mark.parametrize("gain", [0.02, 0.1])
def test_a_proportional_controller_rests_below_its_goal(gain):
    kettle = control.Kettle(10**6)
    error = interact(control.PID(gain), kettle, 800)[-1, 0]
    assert float(error) == pytest.approx(kettle.left_by(gain), abs=1e-6)
    assert float(kettle.T) == pytest.approx(kettle.goal - kettle.left_by(gain))


def test_a_pid_is_its_formula_and_does_not_wind_up():
    pid = control.PID(0.01, 0.02, 0.03, dt=0.5)
    errors, total, before = [4.0, 3.0, 3.5, 900.0, 2.0], 0.0, None
    for error in errors:
        slope = 0.0 if before is None else (error - before) / 0.5
        wanted = 0.01 * error + 0.02 * (total + 0.5 * error) + 0.03 * slope
        assert float(pid.act(torch.tensor([error]))) == pytest.approx(wanted, rel=1e-5)
        total += 0.5 * error * (0 <= wanted <= 1)
        before = error
    assert pid.total == pytest.approx(total) == pytest.approx(5.25)


def test_a_thermostat_keeps_its_state_between_its_margins():
    thermostat = control.Thermostat(1.0)
    errors = [0.5, 2.0, 0.5, -0.5, -1.5, 0.5]
    heats = [float(thermostat.act(torch.tensor([e]))) for e in errors]
    assert heats == [0, 1, 1, 1, 0, 0]


# claims and labs


@pytest.mark.parametrize(
    "check",
    catalog.claims("distribution_shift"),
    ids=lambda entry: entry.check.__name__,
)
def test_claims_hold(check):
    assert all(verdict.holds for verdict in check.verify())


def test_a_claim_fails_where_its_correction_is_taken_away(monkeypatch):
    def plain(source, target, l2=1e-4):
        return density_ratio(source, source)

    monkeypatch.setattr(claims, "density_ratio", plain)
    monkeypatch.setattr(errata, "density_ratio", plain)
    monkeypatch.setattr(bandits.UCB, "scores", bandits.Policy.scores)
    found = {entry.check.__name__: entry for entry in catalog.claims("distribution_shift")}
    for name in ("learnt_ratio", "unequal_samples", "covariate_restored", "exploration"):
        assert not all(verdict.holds for verdict in found[name].verify()), name


def test_correction_restores_accuracy():
    covariate = covariate_shift().numbers
    assert covariate["test accuracy after"] - covariate["test accuracy before"] > 0.1
    label = label_shift().numbers
    assert label["test accuracy after"] - label["test accuracy before"] > 0.1
    assert label["farthest share"] < 0.1 < label["farthest share by counting predictions"]


def test_edges_of_labs():
    still = covariate_shift(shift=0.0, num_train=100, num_test=100)
    assert still.numbers["effective examples"] > 80
    parabola = covariate_shift(model="parabola", num_train=500, num_test=500)
    assert parabola.numbers["test accuracy before"] > 0.78  # the right model needs no weights
    absent = label_shift(target="0 0.5 0.5", distance=4.0, num_train=500, num_test=500)
    assert absent.numbers["shares found"][0] < 0.1
    for arms in ("0.5 0.5", "0 1", "1 1", "0 0 0"):
        assert bandit(arms=arms, steps=10, runs=1).numbers["regret, any arm"] >= 0
    assert concept_shift(steps=20, batch_size=1, degrees=0.0, noise=0.0).tables["learners"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["label-shift", "--source", "0.6 0.3"],
            "source wants shares that sum to 1, got",
        ),
        (["label-shift", "--target", "1.2 -0.2"], "target wants numbers from 0 to 1, got '1.2'"),
        (["label-shift", "--target", "a b"], "target wants numbers from 0 to 1, got 'a'"),
        (["label-shift", "--target", "nan 1"], "target wants numbers from 0 to 1, got 'nan'"),
        (["label-shift", "--target", "0.5 0.5"], "source has 3 classes and target 2"),
        (["label-shift", "--source", "1"], "source wants 2 to 6 numbers, got 1"),
        (["label-shift", "--source", "0 0.5 0.5"], "source wants every class above 0"),
        (["label-shift", "--distance", "0"], "the confusion matrix is singular"),
        (["covariate-shift", "--shift", "-1"], "shift wants a number from 0 to 4, got -1"),
        (["covariate-shift", "--largest", "0"], "largest wants a number above 0, got 0"),
        (["concept-shift", "--noise", "0.5"], "noise wants a number from 0 to 0.49, got 0.5"),
        (["bandit", "--arms", "0.2 1.5"], "arms wants numbers from 0 to 1, got '1.5'"),
        (["bandit", "--arms", "0.2"], "arms wants 2 to 6 numbers, got 1"),
        (["bandit", "--epsilon", "2"], "epsilon wants a number from 0 to 1, got 2"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())
