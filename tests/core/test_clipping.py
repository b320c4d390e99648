"""Gradients whose joint norm is bounded."""

import pytest
import torch
from tiny import equal_bits, quiet, tiny_net, weights
from torch import nn

from freedive.core.callbacks import (
    GradientClipping,
    clip_gradients,
)


def graded(scale=1.0):
    """Parameters with gradients, one without, one empty."""
    parameters = [nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,), (), (0,), (2,))]
    for parameter in parameters[:-1]:
        parameter.grad = scale * torch.randn(parameter.shape)
    return parameters


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1e6])
def test_clipping_is_that_of_torch(max_norm):
    ours = graded(100.0)
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    for mine, their in zip(ours, theirs, strict=True):
        their.grad = None if mine.grad is None else mine.grad.clone()
    norm = clip_gradients(ours, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(norm, expected)
    for mine, their in zip(ours[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(mine.grad, their.grad, rtol=1e-5, atol=1e-7)
    assert ours[-1].grad is None


def test_R26_clipping_a_generator_clips():
    parameters = graded(1000.0)
    before = clip_gradients((p for p in parameters), 1.0)
    assert before > 1000
    after = torch.cat([p.grad.flatten() for p in parameters[:-1]]).norm()
    torch.testing.assert_close(after, torch.tensor(1.0))


def test_gradients_below_the_bound_are_untouched_to_the_bit():
    parameters = graded()
    kept = [p.grad.clone() for p in parameters[:-1]]
    clip_gradients(parameters, 1e3)
    assert all(torch.equal(p.grad, k) for p, k in zip(parameters[:-1], kept, strict=True))


def test_clipping_nothing_and_zero_is_harmless():
    assert clip_gradients([], 1.0).item() == 0
    parameter = nn.Parameter(torch.zeros(2))
    assert clip_gradients([parameter], 1.0).item() == 0
    parameter.grad = torch.zeros(2)
    assert clip_gradients([parameter], 1.0).item() == 0
    assert parameter.grad.tolist() == [0, 0]


def test_clipping_as_a_callback_is_clipping_by_the_trainer(tiny_data):
    one, two = tiny_net(), tiny_net()
    quiet(max_epochs=1, callbacks=[GradientClipping(0.05)]).fit(one, tiny_data)
    quiet(max_epochs=1, gradient_clip_val=0.05).fit(two, tiny_data)
    assert equal_bits(weights(one), weights(two))
