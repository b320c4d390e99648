import itertools

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable
from freedive.topics.calculus.backprop import (
    OneHiddenLayer,
    Weights,
    by_autograd,
    saved_elements,
    sum_of_outer,
)
from freedive.topics.calculus.backprop_lab import backprop, recorded

SETTINGS = list(
    itertools.product(("sigmoid", "tanh", "relu"), ("squared", "cross-entropy"), (0.0, 0.1))
)


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64)


def problem(batch, inputs=4, hiddens=6, outputs=3):
    weights = Weights(numbers(hiddens, inputs), numbers(outputs, hiddens))
    return weights, numbers(*batch, inputs), torch.softmax(numbers(*batch, outputs), dim=-1)


@pytest.mark.parametrize("batch", [(), (1,), (5,)], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_every_formula_agrees_with_autograd(settings, batch):
    network = OneHiddenLayer(*settings)
    weights, x, y = problem(batch)
    gradients = network.backward(weights, x, y, network.forward(weights, x, y))
    for ours, theirs in zip(gradients, by_autograd(network, weights, x, y), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 3, 1), (7, 1, 2)])
def test_the_smallest_networks_agree_too(sizes):
    network = OneHiddenLayer(weight_decay=0.5)
    weights, x, y = problem((2,), *sizes)
    gradients = network.backward(weights, x, y, network.forward(weights, x, y))
    for ours, theirs in zip(gradients, by_autograd(network, weights, x, y), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-13)


def test_the_formulas_agree_with_finite_differences():
    network = OneHiddenLayer("sigmoid", "cross-entropy", 0.1)
    weights, x, y = problem((3,))
    gradients = network.backward(weights, x, y, network.forward(weights, x, y))
    for i, j in ((0, 0), (5, 3), (2, 1)):
        step = torch.zeros_like(weights.W1)
        step[i, j] = 1e-6
        above, below = (
            network.forward(Weights(W1, weights.W2), x, y).J
            for W1 in (weights.W1 + step, weights.W1 - step)
        )
        assert float(above - below) / 2e-6 == pytest.approx(float(gradients.W1[i, j]), abs=1e-8)


def test_a_batch_is_the_mean_of_its_examples():
    network = OneHiddenLayer("tanh", "squared", 0.2)
    weights, X, Y = problem((4,))
    whole = network.backward(weights, X, Y, network.forward(weights, X, Y))
    each = [
        network.backward(weights, x, y, network.forward(weights, x, y))
        for x, y in zip(X, Y, strict=True)
    ]
    assert torch.allclose(whole.W1, torch.stack([g.W1 for g in each]).mean(dim=0))
    assert torch.allclose(whole.W2, torch.stack([g.W2 for g in each]).mean(dim=0))


def test_the_engine_of_section_2_5_finds_the_same():
    network = OneHiddenLayer("tanh", "squared", 0.1)
    weights, x, y = problem((5,))
    expected = network.backward(weights, x, y, network.forward(weights, x, y))
    W1, W2 = Variable(weights.W1), Variable(weights.W2)
    error = ops.tanh(x @ ops.transpose(W1)) @ ops.transpose(W2) - y
    J = ops.sum(error**2) / 10 + 0.05 * (ops.sum(W1**2) + ops.sum(W2**2))
    J.backward()
    assert torch.allclose(W1.gradient, expected.W1, rtol=0, atol=1e-13)
    assert torch.allclose(W2.gradient, expected.W2, rtol=0, atol=1e-13)


def test_a_sum_of_outer_products_is_the_loop_over_examples():
    a, b = numbers(5, 2), numbers(5, 3)
    slow = sum(torch.outer(p, q) for p, q in zip(a, b, strict=True))
    assert torch.allclose(sum_of_outer(a, b), slow)
    assert torch.equal(sum_of_outer(a[0], b[0]), torch.outer(a[0], b[0]))


def test_an_input_of_another_width_is_refused_in_one_line():
    weights, x, y = problem((2,))
    with pytest.raises(UsageError, match="W1 wants 4 inputs, got x of 3"):
        OneHiddenLayer().forward(weights, x[:, :3], y)


def test_saved_elements_are_zero_without_gradients():
    W = torch.ones(3, 3, requires_grad=True)
    assert saved_elements(lambda: torch.tanh(W)) == 9
    with torch.no_grad():
        assert saved_elements(lambda: torch.tanh(W)) == 0


def test_saved_elements_leave_parameters_out():
    W, x = torch.ones(3, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    assert saved_elements(lambda: x @ W) == 15
    assert saved_elements(lambda: x @ W, [W]) == 6


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_lab_agrees_with_autograd_and_draws_every_named_variable(settings):
    activation, loss, weight_decay = settings
    report = backprop(activation=activation, loss=loss, weight_decay=weight_decay)
    assert report.numbers["largest_difference"] < 1e-13
    assert report.numbers["J"] == pytest.approx(report.numbers["L"] + report.numbers["s"])
    (table,) = report.tables.values()
    assert [row["gradient"] for row in table] == ["∂J/∂o", "∂J/∂W2", "∂J/∂h", "∂J/∂z", "∂J/∂W1"]


def test_the_lab_takes_the_smallest_sizes_and_repeats_itself():
    first, again = (backprop(1, 1, 1, 1, seed=5) for _ in range(2))
    assert first.numbers == again.numbers
    assert first.numbers != backprop(1, 1, 1, 1, seed=6).numbers


def test_the_recorded_objective_is_the_formulas():
    network = OneHiddenLayer("sigmoid", "cross-entropy", 0.3)
    weights, x, y = problem(())
    J = recorded(network, weights, x, y)
    assert J.item() == pytest.approx(float(network.forward(weights, x, y).J), abs=1e-13)
    labels = [node.label for node in J.to_graph().nodes if node.kind == "variable"]
    assert {"x", "W1", "z", "h", "W2", "o", "y", "L", "s", "J"} <= set(labels)
