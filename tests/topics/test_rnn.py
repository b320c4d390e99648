"""Recurrent layers from tensors up beside torch's own (sections 9.4, 9.5, 10.1 to 10.4)."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from freedive.core.errors import UsageError
from freedive.parity import copy_weights
from freedive.topics.gated_rnn.scratch import GRU, LSTM
from freedive.topics.rnn.scratch import RNN, as_tuple

KINDS = {"RNN": (RNN, nn.RNN), "LSTM": (LSTM, nn.LSTM), "GRU": (GRU, nn.GRU)}
every_kind = pytest.mark.parametrize("kind", KINDS)


def twins(kind, *args, **more):
    """The two forms with equal weights, in double precision."""
    scratch, concise = (form(*args, **more).double() for form in KINDS[kind])
    copy_weights(concise, scratch)
    return scratch, concise


def outcome(net, inputs, state=None):
    """Outputs, states, and the gradients of weights, inputs and first state."""
    inputs = inputs.clone().requires_grad_()
    state = tuple(s.clone().requires_grad_() for s in state) if state else None
    given_state = None if state is None else (state if len(state) > 1 else state[0])
    outputs, last = net(inputs, given_state)
    last = as_tuple(last)
    loss = outputs.square().sum() + sum(s.sin().sum() for s in last)
    wanted = [*net.parameters(), inputs, *(state or ())]
    grads = torch.autograd.grad(loss, wanted)
    square = len(list(net.parameters()))
    turned = isinstance(net, (nn.RNN, nn.LSTM, nn.GRU))
    grads = [g.T if turned and i < square and g.dim() == 2 else g for i, g in enumerate(grads)]
    return [outputs, *last, *grads]


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    steps=st.integers(1, 6),
    batch=st.integers(1, 4),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    layers=st.integers(1, 3),
    both=st.booleans(),
    with_state=st.booleans(),
)
def test_outputs_states_and_gradients_equal_torchs(
    kind, steps, batch, sizes, layers, both, with_state
):
    num_inputs, num_hiddens = sizes
    scratch, concise = twins(kind, num_inputs, num_hiddens, layers, bidirectional=both)
    inputs = torch.randn(steps, batch, num_inputs, dtype=torch.double)
    shape = (layers * (2 if both else 1), batch, num_hiddens)
    number = 2 if kind == "LSTM" else 1
    state = tuple(torch.randn(shape, dtype=torch.double) for _ in range(number))
    state = state if with_state else None
    for mine, theirs in zip(
        outcome(scratch, inputs, state), outcome(concise, inputs, state), strict=True
    ):
        assert torch.allclose(mine, theirs, atol=1e-10)


@every_kind
def test_token_numbers_are_read_as_their_one_hot_vectors(kind):
    net = KINDS[kind][0](7, 3).double()
    tokens = torch.randint(7, (5, 2))
    vectors = torch.nn.functional.one_hot(tokens, 7).double()
    assert torch.allclose(net(tokens)[0], net(vectors)[0])


@every_kind
def test_r28_a_state_is_taken_for_any_batch_size(kind):
    net = KINDS[kind][0](4, 3)
    for batch in (1, 2, 5):
        inputs = torch.randn(6, batch, 4)
        whole, end = net(inputs)
        _, middle = net(inputs[:2])
        second, last = net(inputs[2:], middle)
        assert torch.allclose(second, whole[2:], atol=1e-6)
        for a, b in zip(as_tuple(last), as_tuple(end), strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_the_books_gru_resets_the_state_and_torchs_the_product():
    ours, theirs = GRU(4, 3, convention="book").double(), nn.GRU(4, 3).double()
    copy_weights(theirs, ours)
    X = torch.randn(5, 2, 4, dtype=torch.double)
    assert (ours(X)[0] - theirs(X)[0]).abs().max() > 1e-4
    H, layer = torch.zeros(2, 3, dtype=torch.double), ours.layers[0]
    W_xr, W_xz, W_xh = layer.W_x.chunk(3, dim=1)
    W_hr, W_hz, W_hh = layer.W_h.chunk(3, dim=1)
    b_r, b_z, b_h = (layer.b_x + layer.b_h).chunk(3)
    for X_t, output in zip(X, ours(X)[0], strict=True):
        R = torch.sigmoid(X_t @ W_xr + H @ W_hr + b_r)
        Z = torch.sigmoid(X_t @ W_xz + H @ W_hz + b_z)
        H_tilde = torch.tanh(X_t @ W_xh + (R * H) @ W_hh + b_h)
        H = Z * H + (1 - Z) * H_tilde
        assert torch.allclose(output, H)


@every_kind
def test_one_bias_is_the_books_and_its_gradients_are_right(kind):
    net = KINDS[kind][0](3, 2, num_biases=1).double()
    gates = net.layer.num_gates
    assert sum(p.numel() for p in net.parameters()) == gates * (3 * 2 + 2 * 2 + 2)
    X = torch.randn(3, 2, 3, dtype=torch.double, requires_grad=True)
    torch.autograd.gradcheck(lambda X: net(X)[0], X)


def test_gradcheck_of_the_books_gru():
    net = GRU(3, 2, convention="book").double()
    X = torch.randn(3, 2, 3, dtype=torch.double, requires_grad=True)
    torch.autograd.gradcheck(lambda X, *_: net(X)[0], (X, *net.parameters()))


def test_dropout_acts_between_layers_only_and_only_in_training():
    X = torch.randn(4, 2, 3)
    one, two = GRU(3, 5, 1, dropout=0.5), GRU(3, 5, 2, dropout=0.5)
    assert torch.equal(one.train()(X)[0], one.eval()(X)[0])
    assert not torch.equal(two.train()(X)[0], two.train()(X)[0])
    assert torch.equal(two.eval()(X)[0], two.eval()(X)[0])
    gone = GRU(3, 5, 2, dropout=1.0).train()
    assert torch.equal(gone(X)[0], gone(-X)[0])  # the second layer sees nothing


def test_half_precision_and_inputs_that_are_not_contiguous():
    net = LSTM(4, 3).bfloat16()
    X = torch.randn(5, 2, 4).permute(2, 1, 0).bfloat16()[..., :4]
    assert not X.is_contiguous()
    assert net(X)[0].dtype == torch.bfloat16
    assert torch.equal(net(X)[0], net(X.contiguous())[0])


def test_what_does_not_fit_is_refused():
    net = RNN(4, 3, num_layers=2)
    with pytest.raises(UsageError, match=r"\(steps, batch, 4\), got \(5, 2, 3\)"):
        net(torch.randn(5, 2, 3))
    with pytest.raises(UsageError, match=r"state of shape \(2, 2, 3\), got \(2, 5, 3\)"):
        net(torch.randn(5, 2, 4), torch.zeros(2, 5, 3))
    with pytest.raises(UsageError, match="at least one step"):
        net(torch.randn(0, 2, 4))
    with pytest.raises(UsageError, match=r"\(steps, batch\)"):
        net(torch.zeros(5, dtype=torch.long))


@every_kind
def test_the_first_weights_are_torchs(kind):
    scratch, concise = KINDS[kind][0](50, 100), KINDS[kind][1](50, 100)
    bound = 1 / math.sqrt(100)
    for W in (scratch.layers[0].W_x, concise.weight_ih_l0):
        assert W.abs().max() <= bound
        assert W.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
