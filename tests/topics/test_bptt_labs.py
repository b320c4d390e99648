"""The labs of section 9.7, at their edges and from the command line; powers of a matrix."""

import pytest
import torch
from torch.testing import assert_close

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.rnn.bptt import ScalarRNN, by_autograd
from freedive.topics.rnn.bptt_claims import bernstein, every_way, sequences
from freedive.topics.rnn.bptt_labs import TEXT, bptt, vanishing_rnn
from freedive.topics.rnn.spectra import (
    norms_by_distance,
    power_norms,
    shear,
    spectral_radius,
    tanh_slopes,
    with_radius,
)

TRUNCATED, RANDOMISED = "truncated: all error is bias", "randomised: all error is variance"


def test_another_seed_is_another_experiment():
    assert bptt(8, num_draws=100, seed=1).tables != bptt(8, num_draws=100, seed=2).tables
    assert vanishing_rnn(num_steps=5, seed=1).tables != vanishing_rnn(num_steps=5, seed=2).tables


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bptt", "--tau", "0"], "tau wants a whole number from 1 to 64, got 0"),
        (["bptt", "--pi", "0"], "pi wants a number from 0.05 to 1, got 0.0"),
        (["bptt", "--pi", "1.5"], "pi wants a number from 0.05 to 1, got 1.5"),
        (["bptt", "--num-steps", "1"], "num_steps wants a whole number from 2 to 64, got 1"),
        (["bptt", "--w-h", "nan"], "w_h wants a number from -3 to 3, got nan"),
        (["vanishing-rnn", "--radii"], "radii wants 1 to 8 numbers from 0.1 to 5, got none"),
        (["vanishing-rnn", "--radii", "1", "9"], "numbers from 0.1 to 5, got 1, 9"),
        (["vanishing-rnn", "--radii", *"123412341"], "1 to 8 numbers from 0.1 to 5, got 1, 2, 3"),
        (["vanishing-rnn", "--radii", "nan"], "numbers from 0.1 to 5, got nan"),
        (["vanishing-rnn", "--radii", "one"], "--radii"),
        (["vanishing-rnn", "--matrix", "gausian"], "gausian"),
        (["vanishing-rnn", "--num-hiddens", "0"], "num_hiddens wants a whole number from 1 to 256"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


def test_the_table_of_truncation_is_what_detaching_gives():
    report = bptt(num_steps=6, w_h=0.9, tau=5, num_draws=100, seed=3)
    chance = generator(3)
    x, y = (torch.randn(64, 6, generator=chance, dtype=torch.float64) for _ in range(2))
    rnn, rows = ScalarRNN(0.9), report.tables[TRUNCATED]
    full = by_autograd(rnn, x / 2, y)
    assert [row["τ"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for row in rows:
        away = by_autograd(rnn, x / 2, y, row["τ"]) - full
        expected = float((away.square().mean() / full.square().mean()).sqrt())
        assert row["error"] == pytest.approx(expected, abs=1e-12)
    assert report.numbers["error, truncated after 5"] == rows[4]["error"]


def test_error_falls_with_tau_and_spread_with_pi():
    report = bptt()
    errors = [row["error"] for row in report.tables[TRUNCATED]]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-12
    rows = report.tables[RANDOMISED]
    spreads = [row["standard deviation"] for row in rows]
    assert spreads == sorted(spreads, reverse=True)
    for row in rows[2:]:  # below, rare draws carry the spread
        assert row["of the draws"] == pytest.approx(row["standard deviation"], rel=0.05)
        assert row["mean off by, in standard errors"] == pytest.approx(1, abs=0.4)


def test_terms_are_counted_as_they_are_kept():
    report = bptt(num_steps=4, tau=2, pi=0.5, num_draws=100)
    rows = {row["τ"]: row for row in report.tables[TRUNCATED]}
    assert rows[2]["terms kept"] == (1 + 2 + 2 + 2) / 4
    assert rows[2]["terms kept, pieces"] == (1 + 2 + 1 + 2) / 4
    assert rows[4]["terms kept"] == rows[4]["terms kept, pieces"] == 2.5
    half = report.tables[RANDOMISED][0]
    assert half["terms kept"] == (1 + 1.5 + 1.75 + 1.875) / 4


@pytest.mark.parametrize(
    "settings",
    [
        {"num_steps": 2, "tau": 64},
        {"num_steps": 3, "w_h": 0.0, "pi": 1.0},
        {"num_steps": 64, "w_h": -3.0, "pi": 0.05, "tau": 1},
    ],
    ids=str,
)
def test_gradients_are_shown_at_the_edges(settings, tmp_path):
    report = bptt(**settings, num_draws=100)
    report.save(tmp_path)
    assert all(torch.tensor(list(report.numbers.values())).isfinite())
    for rows in report.tables.values():
        for row in rows:
            assert all(torch.tensor(list(row.values())).isfinite()), row


def test_the_text_is_long_enough_for_every_step():
    assert len(TEXT) >= 64


def test_powers_grow_by_the_radius_whatever_the_matrix():
    for matrix in ("gaussian", "symmetric", "orthogonal"):
        report = vanishing_rnn(matrix=matrix, num_steps=150)
        for row in report.tables["150 steps, by spectral radius"]:
            assert row["growth a step, second half"] == pytest.approx(row["ρ"], rel=0.01)
            if matrix != "gaussian":
                assert row["norm of the power"] == pytest.approx(row["ρ^T"], rel=1e-6)
                assert report.numbers["norm over spectral radius"] == pytest.approx(1)
            else:
                assert report.numbers["norm over spectral radius"] > 1.1


def test_tanh_without_inputs_is_no_activation_and_with_them_it_shrinks():
    rows = vanishing_rnn(input_scale=0.0).tables["100 steps, by spectral radius"]
    for row in rows:
        assert row["gradient, tanh"] == pytest.approx(row["gradient, linear"], rel=1e-9)
    for row in vanishing_rnn().tables["100 steps, by spectral radius"]:
        assert row["gradient, tanh"] < row["gradient, linear"]


def test_small_matrices_show_that_the_absolute_value_decides():
    rows = vanishing_rnn((1.0,)).tables["small matrices"]
    radius = [row["ρ"] for row in rows]
    assert radius == pytest.approx([1.5, 0.9 * 2**0.5, 0.5], abs=1e-6)
    assert rows[0]["k = 5"] == pytest.approx(1.5**5)
    assert rows[2]["k = 1"] == pytest.approx(100, abs=0.01)
    assert [row["k = 100"] > 1 for row in rows] == [True, True, False]


@pytest.mark.parametrize(
    "settings",
    [
        {"num_hiddens": 1, "num_steps": 2},
        {"radii": (5.0,), "num_steps": 150, "input_scale": 10.0},
        {"radii": (0.1, 5.0), "num_steps": 150, "matrix": "orthogonal"},
    ],
    ids=str,
)
def test_powers_are_shown_at_the_edges(settings, tmp_path):
    report = vanishing_rnn(**settings)
    report.save(tmp_path)
    (rows, _) = report.tables.values()
    for row in rows:
        assert all(torch.tensor(list(row.values()), dtype=torch.float64).isfinite()), row


def test_the_bound_on_a_mean_is_bernsteins():
    """At the bound its own formula gives the chance back."""
    variance, largest, n = 0.3, 2.0, 5000
    t = bernstein(variance, largest, n, chance=1e-6)
    exponent = n * t**2 / (2 * variance + 2 * largest * t / 3)
    assert 2 * torch.tensor(-exponent).double().exp() == pytest.approx(1e-6)


def test_all_ways_to_cut_are_counted_once():
    chances, estimates = every_way(ScalarRNN(0.9).partials(*sequences(5)), 0.3)
    assert chances.shape == estimates.shape == (16,)
    assert float(chances.sum()) == pytest.approx(1)
    assert float(chances.max()) == pytest.approx(0.7**4)


def normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("radius", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_matrix_is_scaled_to_its_spectral_radius(n, radius):
    W = with_radius(normal(n, n), radius)
    assert spectral_radius(W) == pytest.approx(radius)


def test_norms_of_powers_are_those_of_the_powers_themselves():
    W = normal(4, 4)
    slow = [float(torch.linalg.matrix_norm(torch.linalg.matrix_power(W, k), 2)) for k in range(6)]
    assert power_norms(W, 5).tolist() == pytest.approx(slow)
    assert power_norms(W, 0).tolist() == [1.0]


def test_normal_matrices_follow_their_radius_from_the_start():
    A = normal(6, 6)
    rotation = torch.linalg.qr(A).Q
    k = torch.arange(31).double()
    for W in (A + A.mT, rotation):
        for radius in (0.9, 1.1):
            assert_close(power_norms(with_radius(W, radius), 30), radius**k, rtol=1e-9, atol=1e-9)


def test_a_sheared_matrix_grows_before_it_vanishes():
    W = shear(0.5, 100.0)
    assert torch.linalg.matrix_power(W, 3).tolist() == [[0.125, 75.0], [0.0, 0.125]]
    norms = power_norms(W, 40)
    assert spectral_radius(W) == pytest.approx(0.5, abs=1e-6)
    assert norms[1] > 99 * norms[0]
    assert norms[40] < 1e-8


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_gradients_by_distance_are_autograds(steps):
    W, x, g = normal(3, 3), normal(steps, 2, 3), normal(2, 3)
    nudges = torch.zeros_like(x).requires_grad_()
    states, h = [], torch.zeros(2, 3).double()
    for t in range(steps):
        h = torch.tanh(h @ W.T + x[t]) + nudges[t]
        states.append(h)
    (gradients,) = torch.autograd.grad((h * g).sum(), nudges)
    slopes = tanh_slopes(W, x)
    assert_close(slopes, torch.stack([1 - state.detach() ** 2 for state in states]))
    assert_close(norms_by_distance(W, slopes, g), gradients.flip(0).norm(dim=-1))


def test_without_an_activation_gradients_are_the_powers_themselves():
    W, g = normal(3, 3), normal(2, 3)
    found = norms_by_distance(W, torch.ones(5, 2, 3).double(), g)
    for k in range(5):
        assert_close(found[k], (g @ torch.linalg.matrix_power(W, k)).norm(dim=-1))


def test_a_matrix_without_a_scale_is_refused():
    with pytest.raises(UsageError, match="eigenvalues are all 0"):
        with_radius(shear(0.0, 1.0), 0.9)
