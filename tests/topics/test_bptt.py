"""Backpropagation through time: against autograd, finite differences and slow loops."""

import itertools
import math

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.rnn.bptt import (
    LinearRNN,
    Partials,
    ScalarRNN,
    by_autograd,
    closed_form,
    draw_gates,
    linear_by_autograd,
    pieces,
    products,
    recursion,
)

SHAPES = [(1,), (2,), (7,), (3, 1), (2, 3, 5)]


def numbers(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype)


def problem(*shape):
    """An RNN, inputs and targets."""
    return ScalarRNN(1.2, w_o=0.7), numbers(*shape) / 2, numbers(*shape)


def linear(steps=5, inputs=3, hiddens=4, outputs=2):
    rnn = LinearRNN(numbers(hiddens, inputs), numbers(hiddens, hiddens), numbers(outputs, hiddens))
    return rnn, numbers(steps, inputs), numbers(steps, outputs)


def close(a, b, tolerance=1e-12):
    assert a.shape == b.shape
    assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_closed_form_is_the_recursion(shape):
    b, c = numbers(*shape), numbers(*shape)
    close(closed_form(b, c), recursion(b, c))


def test_the_recursion_is_the_loop_over_its_steps():
    b, c = numbers(6), numbers(6)
    a, slow = 0.0, []
    for t in range(6):
        a = float(b[t]) + float(c[t]) * a
        slow.append(a)
    assert recursion(b, c).tolist() == pytest.approx(slow)


@pytest.mark.parametrize("c", [[0.5], [2.0, -3.0, 0.0, 5.0, 7.0]])
def test_products_are_multiplied_one_by_one_even_past_a_zero(c):
    found = products(torch.tensor(c))
    for t, i in itertools.product(range(len(c)), repeat=2):
        assert found[t, i] == (math.prod(c[i + 1 : t + 1]) if i <= t else 0)


def test_strided_sequences_are_sequences():
    b, c = numbers(5, 3).T, numbers(3, 10)[:, ::2]
    close(closed_form(b, c), recursion(b.contiguous(), c.contiguous()))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_full_gradient_is_autograds(shape):
    rnn, x, y = problem(*shape)
    close(rnn.partials(x, y).full(), by_autograd(rnn, x, y))


def test_the_full_gradient_is_the_quotient_of_small_differences():
    rnn, x, y = problem(6)

    def loss(w_h):
        o = rnn.w_o * ScalarRNN(w_h).states(x)
        return float(((o - y) ** 2).mean() / 2)

    quotient = (loss(1.2 + 1e-6) - loss(1.2 - 1e-6)) / 2e-6
    assert float(rnn.partials(x, y).full()) == pytest.approx(quotient, abs=1e-9)


def test_one_step_has_no_gradient_because_nothing_came_before():
    rnn, x, y = problem(4, 1)
    assert not rnn.partials(x, y).full().any()


@pytest.mark.parametrize("tau", [1, 2, 3, 4, 5, 6, 7, 100])
def test_truncation_is_a_detached_state_and_nothing_is_lost_at_the_length_or_beyond(tau):
    rnn, x, y = problem(3, 6)
    partials = rnn.partials(x, y)
    close(partials.truncated(tau), by_autograd(rnn, x, y, tau))
    if tau >= 6:
        close(partials.truncated(tau), partials.full())


def test_truncation_keeps_exactly_tau_terms():
    b, c = torch.ones(5), torch.ones(5)
    for tau in (1, 2, 4, 5, 9):
        assert closed_form(b, c, tau).tolist() == [min(t, tau) for t in range(1, 6)]


@pytest.mark.parametrize("tau", [1, 3, 4, 7, 9])
def test_pieces_are_states_detached_at_their_starts(tau):
    rnn, x, y = problem(7)
    w_h = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    h, losses = torch.zeros(()).double(), []
    for t in range(7):
        h = torch.tanh(w_h * (h.detach() if t % tau == 0 else h) + x[t])
        losses.append((rnn.w_o * h - y[t]) ** 2 / 2)
    (slow,) = torch.autograd.grad(torch.stack(losses).mean(), w_h)
    close(rnn.partials(x, y).gated(pieces(7, tau)), slow)


def test_a_gate_scales_what_goes_back_and_not_what_goes_forward():
    rnn, x, y = problem(7)
    gates = draw_gates(0.6, (7,), generator(3))
    w_h = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    h, losses = torch.zeros(()).double(), []
    for t in range(7):
        gated = h.detach() + gates[t] * (h - h.detach())
        h = torch.tanh(w_h * gated + x[t])
        losses.append((rnn.w_o * h - y[t]) ** 2 / 2)
    (slow,) = torch.autograd.grad(torch.stack(losses).mean(), w_h)
    assert (gates == 0).any()
    close(rnn.partials(x, y).gated(gates), slow)


def test_many_draws_for_many_sequences_are_each_their_own():
    rnn, x, y = problem(2, 5)
    partials, gates = rnn.partials(x, y), draw_gates(0.5, (3, 2, 5), generator(0))
    found = partials.gated(gates)
    for draw, sequence in itertools.product(range(3), range(2)):
        one = Partials(*(part[sequence] for part in partials))
        close(found[draw, sequence], one.gated(gates[draw, sequence]))


def every_gate(partials, pi):
    """Mean and variance over every combination of open and closed gates, one by one."""
    steps = len(partials.b)
    mean = square = 0.0
    for combination in itertools.product((0, 1), repeat=steps):
        chance = math.prod(p if one else 1 - p for p, one in zip(pi, combination, strict=True))
        opened = [one / p for p, one in zip(pi, combination, strict=True)]
        gates = torch.tensor(opened, dtype=torch.float64)
        estimate = float(partials.gated(gates))
        mean, square = mean + chance * estimate, square + chance * estimate**2
    return mean, square - mean**2


@pytest.mark.parametrize("pi", [[0.3] * 6, [1.0] * 6, [0.9, 0.2, 0.5, 1.0, 0.7, 0.4]])
def test_random_cuts_are_right_on_average_with_the_variance_that_is_told(pi):
    rnn, x, y = problem(6)
    partials = rnn.partials(x, y)
    mean, variance = every_gate(partials, pi)
    assert mean == pytest.approx(float(partials.full()), abs=1e-12)
    assert float(partials.variance(torch.tensor(pi, dtype=torch.float64))) == pytest.approx(
        variance, abs=1e-12
    )


def test_the_mean_of_draws_is_the_gradient_and_their_spread_the_formulas():
    """Six standard errors: a fault by chance less than once in a hundred million."""
    n, pi = 200_000, 0.8
    rnn, x, y = problem(8)
    partials = rnn.partials(x, y)
    variance = float(partials.variance(pi))
    gates = draw_gates(pi, (n, 8), generator(0))
    margin = 6 * math.sqrt(variance / n)
    draws, full = partials.gated(gates), float(partials.full())
    assert abs(float(draws.mean()) - full) < margin
    assert float(draws.var()) == pytest.approx(variance, rel=0.05)
    not_scaled = partials.gated((gates > 0).double())  # without 1/π the mean is another
    assert abs(float(not_scaled.mean()) - full) > 2 * margin


def test_variance_grows_as_the_chance_falls_and_is_none_without_cuts():
    rnn, x, y = problem(3, 8)
    partials = rnn.partials(x, y)
    assert torch.equal(partials.variance(1.0), torch.zeros(3).double())
    spread = torch.stack([partials.variance(pi) for pi in (0.9, 0.6, 0.3, 0.1)])
    assert (spread.diff(dim=0) > 0).all()


def test_gates_are_zero_or_the_inverse_of_their_probability():
    pi = torch.tensor([1.0, 0.5, 0.25])
    gates = draw_gates(pi, (4000, 3), generator(1))
    assert gates.dtype == torch.float64
    assert [sorted(set(column)) for column in gates.T.tolist()] == [[1.0], [0.0, 2.0], [0.0, 4.0]]
    share = (gates > 0).double().mean(dim=0)
    bounds = 5 * (pi * (1 - pi) / 4000).sqrt()  # passed by chance once in a million
    assert ((share - pi).abs() <= bounds).all()
    assert torch.equal(draw_gates(1.0, (2, 5), generator(1)), torch.ones(2, 5).double())


def test_gates_come_from_their_generator_alone():
    state = torch.get_rng_state()
    first, again = (draw_gates(0.5, (9,), generator(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, draw_gates(0.5, (9,), generator(6)))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda p: p.truncated(0), "tau wants a whole number of at least 1, got 0"),
        (lambda p: pieces(5, -2), "tau wants a whole number of at least 1, got -2"),
        (lambda p: by_autograd(*problem(5), 0), "tau wants a whole number of at least 1, got 0"),
        (lambda p: p.variance(1.1), "above 0 to 1, got 1.1: pass 1 to cut nowhere"),
        (lambda p: draw_gates(0, (5,), generator(0)), "pi wants probabilities above 0 to 1, got 0"),
        (lambda p: draw_gates(math.nan, (5,), generator(0)), "above 0 to 1, got nan"),
        (lambda p: p.variance(torch.tensor([1, 1, 0.5, 0, 1])), "above 0 to 1, got tensor"),
        (lambda p: ScalarRNN(1.0).states(torch.zeros(3, 0)), "at least 1 step, got 0"),
        (lambda p: linear()[0].states(numbers(0, 3)), "at least 1 step, got 0"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_line(call, told):
    rnn, x, y = problem(5)
    with pytest.raises(UsageError, match=told) as refusal:
        call(rnn.partials(x, y))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.1)])
def test_other_precisions_come_out_as_they_went_in(dtype, tolerance):
    rnn, x, y = problem(4, 6)
    exact, rounded = rnn.partials(x, y), rnn.partials(x.to(dtype), y.to(dtype))
    gates = draw_gates(0.8, (6,), generator(0))
    for found, expected in (
        (rounded.full(), exact.full()),
        (rounded.truncated(3), exact.truncated(3)),
        (rounded.gated(gates), exact.gated(gates)),
        (rounded.variance(0.8), exact.variance(0.8)),
    ):
        assert found.dtype == dtype
        assert torch.allclose(found.double(), expected, rtol=tolerance, atol=tolerance)


SIZES = [(5, 3, 4, 2), (1, 3, 4, 2), (2, 1, 1, 1), (6, 2, 3, 3), (4, 2, 3, 7)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_gradient_of_the_linear_rnn_is_autograds(sizes):
    rnn, x, y = linear(*sizes)
    ours = rnn.backward(x, y)
    for mine, theirs in zip(ours, linear_by_autograd(rnn, x, y), strict=True):
        close(mine, theirs, 1e-11)
    close(rnn.by_sum(ours.o), ours.h, 1e-11)


def test_every_gradient_of_the_linear_rnn_is_the_quotient_of_small_differences():
    rnn, x, y = linear()
    gradients = rnn.backward(x, y)

    def loss(rnn):
        return float((rnn.states(x) @ rnn.W_qh.mT - y).square().sum() / (2 * len(x)))

    for name in rnn._fields:
        W, step = getattr(rnn, name), torch.zeros_like(getattr(rnn, name))
        step[-1, 0] = 1e-6
        above, below = (loss(rnn._replace(**{name: V})) for V in (W + step, W - step))
        expected = float(getattr(gradients, name)[-1, 0])
        assert (above - below) / 2e-6 == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_closed_sum_is_the_books_double_loop():
    rnn, x, y = linear()
    o, T = rnn.backward(x, y).o, len(x)
    for t in range(1, T + 1):
        total = torch.zeros(4).double()
        for i in range(t, T + 1):
            power = torch.linalg.matrix_power(rnn.W_hh.mT, T - i)
            total += power @ rnn.W_qh.mT @ o[T + t - i - 1]
        close(rnn.by_sum(o)[t - 1], total, 1e-11)


def test_one_step_leaves_the_recurrent_matrix_without_gradient():
    rnn, x, y = linear(steps=1)
    found = rnn.backward(x, y)
    assert not found.W_hh.any()
    close(found.h[0], rnn.W_qh.mT @ found.o[0])


def test_the_linear_rnn_works_in_single_precision_and_on_strided_sequences():
    rnn, x, y = linear()
    exact = rnn.backward(x, y)
    single = LinearRNN(*(W.float() for W in rnn))
    strided = x.float().repeat_interleave(2, dim=1)[:, ::2]
    for mine, expected in zip(single.backward(strided, y.float()), exact, strict=True):
        assert mine.dtype == torch.float32
        scale = float(expected.abs().max())
        assert torch.allclose(mine.double(), expected, rtol=1e-4, atol=1e-5 * scale)
