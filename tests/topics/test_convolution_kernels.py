"""The way from dense layers (7.1), kernels by hand and kernels that are learnt (7.2)."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freedive.topics.convolution import dense
from freedive.topics.convolution.kernels import (
    EDGE,
    KERNELS,
    first_kernel,
    hessian,
    learn_kernel,
    predicted_losses,
    step_limit,
    stripes,
)
from freedive.topics.convolution.scratch import convolve2d, corr2d

BEST = EDGE.double()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_weights_by_offset_are_those_of_a_loop(n):
    V = torch.randn(2 * n - 1, 2 * n - 1)
    W = dense.by_offset(V)
    for i, j, k, l in itertools.product(range(n), repeat=4):  # noqa: E741
        assert W[i, j, k, l] == V[k - i + n - 1, l - j + n - 1]


@pytest.mark.parametrize(("n", "delta"), [(1, 0), (1, 2), (4, 0), (6, 1), (5, 2), (3, 4)])
def test_a_local_layer_is_a_padded_convolution_even_where_the_kernel_is_larger(n, delta):
    X, kernel = torch.randn(n, n).double(), torch.randn(2 * delta + 1, 2 * delta + 1).double()
    W = dense.by_offset(dense.local(kernel, n))
    expected = F.conv2d(X[None, None], kernel[None, None], padding=delta)[0, 0]
    assert torch.allclose(dense.dense_layer(W, X), expected, atol=1e-12)
    assert len(W[W != 0].unique()) == dense.counts(n, delta)[2]


def test_a_dense_layer_is_one_matrix_and_a_bias():
    W, X, U = torch.randn(2, 3, 4, 5), torch.randn(4, 5), torch.randn(2, 3)
    expected = (W.reshape(6, 20) @ X.flatten()).reshape(2, 3) + U
    assert torch.allclose(dense.dense_layer(W, X, U), expected, atol=1e-5)


def test_shifted_moves_over_black_and_loses_what_leaves():
    X = torch.arange(1.0, 7).reshape(2, 3)
    assert dense.shifted(X, 1, 1).tolist() == [[0, 0, 0], [0, 1, 2]]
    assert dense.shifted(X, 0, -2).tolist() == [[3, 0, 0], [6, 0, 0]]
    assert dense.shifted(X, -1, 0).tolist() == [[4, 5, 6], [0, 0, 0]]
    assert torch.equal(dense.shifted(X, 0, 0), X)


@pytest.mark.parametrize("operation", [corr2d, convolve2d])
def test_learning_is_torchs_sgd_on_a_layer(operation):
    layer = nn.Conv2d(1, 1, (1, 2), bias=False).double()
    start = layer.weight.detach()[0, 0].clone()
    learnt = learn_kernel(0.02, 12, start, operation)
    optim = torch.optim.SGD(layer.parameters(), lr=0.02)
    X, Y = stripes().double()[None, None], corr2d(stripes(), EDGE).double()
    for loss, kernel in zip(learnt.losses, learnt.kernels, strict=True):
        assert torch.allclose(kernel, layer.weight[0, 0], atol=1e-12)
        weight = layer.weight.flip(3) if operation is convolve2d else layer.weight
        torchs = ((F.conv2d(X, weight) - Y) ** 2).sum()
        assert loss == pytest.approx(torchs.item(), abs=1e-12)
        optim.zero_grad()
        torchs.backward()
        optim.step()


def test_the_hessian_is_that_of_the_loss_and_bounds_the_step():
    Y = corr2d(stripes(), EDGE).double()

    def loss(K):
        return ((corr2d(stripes().double(), K.reshape(1, 2)) - Y) ** 2).sum()

    by_autograd = torch.autograd.functional.hessian(loss, torch.randn(2).double())
    assert torch.allclose(hessian(), by_autograd)
    assert step_limit() == pytest.approx(1 / 30)


@pytest.mark.parametrize("lr", [0.001, 1 / 60, 0.03, 1 / 30, 0.05])
@pytest.mark.parametrize("strict", [False, True])
def test_losses_follow_their_law(lr, strict):
    operation, best = (convolve2d, BEST.flip(1)) if strict else (corr2d, BEST)
    start = first_kernel(3)
    learnt = learn_kernel(lr, 15, start, operation)
    law = predicted_losses(lr, 15, start, best)
    assert learnt.losses == pytest.approx(law.tolist(), rel=1e-9, abs=1e-12)


def test_no_step_at_all_leaves_the_kernel():
    start = first_kernel(0)
    learnt = learn_kernel(0.03, 0, start)
    assert torch.equal(learnt.kernels, start[None])
    assert len(learnt.losses) == 1


def test_first_kernels_differ_by_seed_and_stay_within_torchs_bounds():
    drawn = torch.cat([first_kernel(seed) for seed in range(200)])
    assert len(drawn.unique()) == 400
    assert 0.6 < drawn.abs().max() <= 0.5**0.5


def test_every_kernel_of_the_gallery_does_what_its_name_says():
    picture = torch.rand(9, 9)
    standing, lying, white = stripes(), stripes().T, torch.ones(5, 5)
    for name, K in KERNELS.items():
        answers = [bool(corr2d(X, K).abs().max() > 1e-6) for X in (standing, lying, white)]
        if "vertical" in name:
            assert answers == [True, False, False], name
        elif "horizontal" in name:
            assert answers == [False, True, False], name
        elif name == "all edges":
            assert answers == [True, True, False]
        else:
            assert torch.allclose(corr2d(white, K), torch.ones(3, 3)), name
    variation = corr2d(picture, KERNELS["blur"]).std() / picture[1:-1, 1:-1].std()
    assert variation < 0.7
    assert corr2d(picture, KERNELS["sharpen"]).std() > picture[1:-1, 1:-1].std()
