"""Series and their predictions, Markov models, and batches, against loops over everything."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.synthetic import SyntheticRegressionData
from freedive.topics.sequences import markov
from freedive.topics.sequences.autoregression import (
    Autoregression,
    AutoregressionScratch,
    fitted,
)
from freedive.topics.sequences.batches import (
    num_batches,
    overlapping_batches,
    random_batches,
    sequential_batches,
)
from freedive.topics.sequences.prediction import continued, error_by_step, k_step
from freedive.topics.sequences.series import NoisySine, lagged

FORMS = [AutoregressionScratch, Autoregression]
PARTITIONS = [random_batches, sequential_batches, overlapping_batches]


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("length", "tau"), [(2, 1), (5, 4), (9, 3)])
def test_a_row_holds_tau_values_and_then_the_next(length, tau):
    x = torch.randn(length)
    features, labels = lagged(x, tau)
    assert features.tolist() == [x[i : i + tau].tolist() for i in range(length - tau)]
    assert labels.tolist() == [[x[i + tau].item()] for i in range(length - tau)]
    every_second = torch.stack([x, -x]).T[:, 0]  # not contiguous
    assert torch.equal(lagged(every_second, tau)[0], features)


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_series_without_a_row_is_refused(length):
    with pytest.raises(UsageError, match=f"a series of {length} values gives no row of 4"):
        lagged(torch.zeros(length), 4)


def test_without_noise_the_series_is_the_sine():
    data = NoisySine(noise=0.0, num_train=3, num_val=2, tau=4)
    expected = [math.sin(0.01 * t) for t in range(1, 10)]
    torch.testing.assert_close(data.x, torch.tensor(expected))
    assert (NoisySine().x - torch.sin(0.01 * NoisySine().time)).std().item() == pytest.approx(
        0.2, rel=0.05
    )


def test_the_noise_is_the_seeds_and_leaves_other_chance_alone():
    before = torch.get_rng_state()
    a, b, c = (NoisySine(data_seed=seed).x for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), before)
    prints = [NoisySine(data_seed=seed).fingerprint() for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]


def test_later_values_are_never_in_training_rows():
    data = NoisySine(noise=0.5, num_train=50, num_val=9, batch_size=8)
    train = [torch.cat(parts) for parts in zip(*data.train_dataloader(), strict=True)]
    val = [torch.cat(parts) for parts in zip(*data.val_dataloader(), strict=True)]
    assert [len(part) for part in (*train, *val)] == [50, 50, 9, 9]
    known = {*train[0].flatten().tolist(), *train[1].flatten().tolist()}
    assert not known & set(val[1].flatten().tolist())
    assert torch.equal(data.unseen, data.x[50:])
    assert len(data.unseen) == 9 + data.tau


@pytest.mark.parametrize("wrong", [{"tau": 0}, {"noise": -1.0}, {"num_train": 0}, {"num_val": 0}])
def test_the_series_checks_its_arguments(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        NoisySine(**wrong)


def test_predictions_go_on_from_predictions():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1), torch.randn(12)
    predicted, came = k_step(model, x, tau=3, k=4)
    assert predicted.shape == came.shape == (12 - 3 - 4 + 1, 4)
    for i, row in enumerate(predicted):
        known = x[i : i + 3].tolist()
        for j in range(4):
            known.append(model(torch.tensor([known[-3:]])).item())
            assert row[j].item() == pytest.approx(known[-1], abs=1e-6)
            assert came[i, j] == x[i + 3 + j]
    assert not predicted.requires_grad
    assert continued(model, x[None, :3], 0).shape == (1, 0)
    assert continued(model, x[None, :1].expand(0, 3), 2).shape == (0, 2)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(UsageError, match="want a series of 7, got 6"):
        k_step(nn.Linear(3, 1), torch.zeros(6), tau=3, k=4)


def test_the_error_is_that_of_each_step():
    predicted, came = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0, 3.0], [1.0, 4.0]])
    expected = [math.sqrt(4 / 2), math.sqrt((9 + 16) / 2)]
    assert error_by_step(predicted, came).tolist() == pytest.approx(expected)


def test_least_squares_finds_the_recursion_of_a_sine():
    # sin(t + ω) = 2 cos ω sin t − sin(t − ω) holds exactly
    data = NoisySine(tau=2, noise=0.0, num_train=700)
    data.x = torch.sin(0.1 * data.time.double())
    predicted, came = k_step(fitted(data), data.x, 2, 50)
    assert error_by_step(predicted, came).max() < 1e-6


@pytest.mark.parametrize("model", FORMS)
def test_training_comes_near_to_least_squares(model, tmp_path):
    data, trained = NoisySine(), model()
    Trainer(max_epochs=5, seed=0, device="cpu", progress=False).fit(trained, data)
    errors = [error_by_step(*k_step(m, data.unseen, 4, 64)) for m in (trained, fitted(data))]
    assert errors[0][0] < 1.05 * errors[1][0] < 0.26
    assert errors[0][-1] > 1.5 * errors[0][0]
    (line,) = trained.write_samples(data, tmp_path)
    assert line.startswith("error one step ahead 0.2")
    assert "64 steps ahead" in line
    written = json.loads((tmp_path / "predictions.json").read_text())
    assert written["data"] == "noisy-sine (synthetic)"
    assert written["error_by_step"] == pytest.approx(errors[0].tolist())
    assert (tmp_path / "predictions.svg").stat().st_size > 10_000


def test_a_short_series_and_other_data_have_samples_or_a_reason(tmp_path):
    (line,) = Autoregression().write_samples(NoisySine(num_train=5, num_val=1), tmp_path)
    assert "ahead" in line
    assert "steps" not in line
    with pytest.raises(UsageError, match="predictions want a series, got synthetic-regression"):
        Autoregression().write_samples(SyntheticRegressionData(num_train=1, num_val=1), tmp_path)


def slow_markov(joint, order):
    """∏ P(x_t | the symbols before it), summed and divided one sequence at a time."""
    approximation = torch.zeros_like(joint)
    indices = list(itertools.product(*map(range, joint.shape)))
    for seq in indices:
        p = 1.0
        for t in range(len(seq)):
            first = max(t - order, 0)
            above = sum(joint[s] for s in indices if s[first : t + 1] == seq[first : t + 1])
            below = sum(joint[s] for s in indices if s[first:t] == seq[first:t])
            p *= above / below
        approximation[seq] = p
    return approximation


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_markov_model_is_the_product_of_its_ratios(order):
    joint = markov.random_joint(2, 4, chance())
    torch.testing.assert_close(markov.markov_approximation(joint, order), slow_markov(joint, order))


def test_a_negative_order_is_refused():
    with pytest.raises(UsageError, match="at least 0, got -1"):
        markov.markov_approximation(markov.random_joint(2, 2, chance()), -1)


@pytest.mark.parametrize(("symbols", "length"), [(1, 1), (1, 3), (3, 1), (2, 6)])
def test_both_directions_give_the_joint(symbols, length):
    joint = markov.random_joint(symbols, length, chance())
    assert joint.shape == (symbols,) * length
    assert joint.sum().item() == pytest.approx(1, abs=1e-12)
    for factors in (markov.forward_factors(joint), markov.reverse_factors(joint)):
        product = torch.ones_like(joint)
        for factor in factors:
            product = product * factor
        torch.testing.assert_close(product, joint, atol=1e-15, rtol=1e-12)


def test_what_never_happens_has_no_part_in_a_factor():
    joint = torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64)
    assert torch.equal(markov.conditional(joint, 1, 1), joint)
    assert torch.equal(markov.markov_approximation(joint, 1), joint)
    assert markov.divergence(joint, joint) == 0
    assert markov.entropy(joint, joint) == pytest.approx(math.log(2))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_chain_forgets_what_lies_further_back_than_its_order(order, length):
    chain = markov.random_chain(3, length, order, chance())
    assert chain.shape == (3,) * length
    assert chain.sum().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(markov.markov_approximation(chain, order), chain)


def test_divergence_and_entropy_are_those_of_torch():
    P, Q = (markov.random_joint(3, 2, chance(seed)) for seed in (0, 1))
    distributions = [torch.distributions.Categorical(joint.flatten()) for joint in (P, Q)]
    expected = torch.distributions.kl_divergence(*distributions).item()
    assert markov.divergence(P, Q) == pytest.approx(expected, abs=1e-12)
    assert markov.entropy(P, P) == pytest.approx(distributions[0].entropy().item(), abs=1e-12)


def test_steps_of_a_chain_are_powers_of_its_matrix():
    T = torch.softmax(torch.randn(4, 4, dtype=torch.float64), dim=1)
    torch.testing.assert_close(markov.two_step(T), torch.linalg.matrix_power(T, 2))
    rows = markov.visits(torch.eye(4, dtype=torch.float64)[2], T, 6)
    for t, row in enumerate(rows):
        torch.testing.assert_close(row, torch.linalg.matrix_power(T, t)[2])


sizes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(0, 40))


@given(sizes, st.integers(0, 5))
def test_no_batch_is_lost_whatever_the_offset(size, seed):
    batch_size, num_steps, spare = size
    corpus = torch.arange(batch_size * num_steps + 1 + spare)
    for cut in (random_batches, sequential_batches):
        batches = list(cut(corpus, batch_size, num_steps, chance(seed)))
        assert len(batches) == num_batches(len(corpus), batch_size, num_steps)
        assert len(batches) == (len(corpus) - 1) // (batch_size * num_steps)
        inputs = torch.cat([X.flatten() for X, _ in batches])
        assert len(set(inputs.tolist())) == len(inputs)  # each token at most once
        for X, Y in batches:
            assert X.shape == Y.shape == (batch_size, num_steps)
            assert torch.equal(Y, X + 1)
            assert torch.equal(X, X[:, :1] + torch.arange(num_steps))


@given(sizes, st.integers(0, 5))
def test_sequential_batches_go_on_where_the_last_one_ended(size, seed):
    batch_size, num_steps, spare = size
    corpus = torch.arange(batch_size * num_steps + 1 + spare)
    batches = [X for X, _ in sequential_batches(corpus, batch_size, num_steps, chance(seed))]
    rows = torch.cat(batches, dim=1)
    assert torch.equal(rows, rows[:, :1] + torch.arange(rows.shape[1]))


@given(sizes)
def test_overlapping_batches_have_each_window_once(size):
    batch_size, num_steps, spare = size
    corpus = torch.arange(num_steps + 1 + spare)
    batches = list(overlapping_batches(corpus, batch_size, num_steps, chance()))
    starts = torch.cat([X[:, 0] for X, _ in batches])
    assert starts.sort().values.tolist() == list(range(len(corpus) - num_steps))
    assert all(torch.equal(Y, X + 1) for X, Y in batches)
    assert {len(X) for X, _ in batches[:-1]} <= {batch_size}


@pytest.mark.parametrize("cut", [random_batches, sequential_batches])
def test_every_offset_comes_and_every_token_is_read_in_some_epoch(cut):
    corpus = torch.arange(35)
    epochs = [torch.cat([X.flatten() for X, _ in cut(corpus, 2, 5, chance(s))]) for s in range(200)]
    assert {int(read.min()) for read in epochs} == {0, 1, 2, 3, 4}
    shares = torch.bincount(torch.cat(epochs), minlength=35) / 200
    assert shares[4:30].tolist() == [1.0] * 26
    assert shares[:4].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.1)
    assert shares[30:].tolist() == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0], abs=0.1)
    assert shares[34] == 0  # the last token is a target alone


@pytest.mark.parametrize("cut", PARTITIONS)
def test_the_order_is_the_generators(cut):
    first, again, other = (list(cut(torch.arange(99), 2, 5, chance(s))) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True))


def test_a_text_that_is_too_short_is_refused_and_not_passed_over():
    for cut in (random_batches, sequential_batches):
        with pytest.raises(UsageError, match="wants a text of 11 tokens, got 10"):
            next(cut(torch.arange(10), 2, 5, chance()))
    with pytest.raises(UsageError, match="wants a text of 6 tokens, got 5"):
        next(overlapping_batches(torch.arange(5), 2, 5, chance()))
    with pytest.raises(UsageError, match="at least 1 window of 1 step, got 0 of 5"):
        next(random_batches(torch.arange(10), 0, 5, chance()))
