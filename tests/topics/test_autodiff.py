from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from freedive.core.errors import UsageError
from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable, no_grad, sum_to
from freedive.topics.calculus.labs import ExpressionName, autodiff


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def test_gradients_agree_with_finite_differences():
    X, W1, W2 = numbers(5, 3), numbers(3, 4, seed=1), numbers(4, 2, seed=2)
    labels, h = torch.tensor([0, 1, 1, 0, 1]), 1e-6

    def loss(W):
        hidden = ops.tanh(X @ W) * ops.sigmoid(X @ W)
        spread = ops.log(ops.sum(ops.exp(hidden), axis=1, keepdims=True))
        return ops.cross_entropy((hidden - spread) @ W2, labels) + ops.mean(W * W)

    W = Variable(W1)
    loss(W).backward()
    steps = h * torch.eye(W1.numel()).double().reshape(-1, *W1.shape)
    slopes = [
        (loss(Variable(W1 + s)).item() - loss(Variable(W1 - s)).item()) / (2 * h) for s in steps
    ]
    assert torch.allclose(W.gradient.flatten(), torch.tensor(slopes).double(), atol=1e-8)


def test_gradients_accumulate_over_calls_and_are_forgotten_when_asked():
    x = Variable(torch.arange(4.0))
    assert x.gradient is None
    y = 2 * (x @ x)
    assert y.item() == 28
    y.backward()
    assert x.gradient.tolist() == [0, 4, 8, 12]
    y.backward()  # what lies between must not be counted again
    assert x.gradient.tolist() == [0, 8, 16, 24]
    x.zero_grad()
    ops.sum(x).backward()
    assert x.gradient.tolist() == [1, 1, 1, 1]


def test_gradients_share_no_memory():
    a, b = Variable(torch.zeros(2)), Variable(torch.zeros(2))
    ops.sum(a + b).backward()
    a.gradient.add_(1)
    assert b.gradient.tolist() == [1, 1]


def test_a_node_passes_on_only_once_all_its_users_have_reported():
    x = Variable(torch.tensor(3.0))
    a = x * x
    b = a * a * a + a  # a is used early and late
    b.backward()
    assert x.gradient.item() == 6 * 3.0**5 + 2 * 3.0


def test_a_long_chain_needs_no_recursion_and_a_ladder_of_squares_no_exponential_time():
    x = Variable(torch.tensor(1.0))
    y = x
    for _ in range(10_000):
        y = y + 1.0
    y.backward()
    assert (y.item(), x.gradient.item()) == (10_001, 1)
    z = x
    for _ in range(60):
        z = (z + z) / 2.0  # 2**60 paths
    z.backward()
    assert x.gradient.item() == 2


def test_detach_cuts_the_way_back():
    x = Variable(torch.arange(4.0))
    y = x * x
    ops.sum(y.detach() * x).backward()
    assert torch.equal(x.gradient, y.value)
    x.zero_grad()
    ops.sum(y * x).backward()
    assert x.gradient.tolist() == [0, 3, 12, 27]


def test_no_grad_records_nothing_and_ends_also_after_an_error():
    x = Variable(torch.ones(2))
    with no_grad():
        y = x * 2.0
    with pytest.raises(UsageError), no_grad():
        ops.sum(x, axis=7)
    assert not y.inputs
    assert not y.tracked
    assert (x * 2.0).tracked
    with pytest.raises(UsageError, match="got a constant"):
        y.backward()


def test_constants_and_arrays_on_either_side_get_no_gradient():
    x, A = Variable(torch.ones(3)), torch.full((2, 3), 2.0)
    for y in (A @ x, A * x, A + x, A - x, A / x, x * A):
        y.backward(torch.ones_like(y.value))
        assert [v for v in y.ancestors(constants=True) if v.gradient is None]
    assert x.gradient.shape == (3,)


@pytest.mark.parametrize("a", [0.04, -0.04, 3.0, -700.0])
def test_control_flow_records_what_ran(a):
    def f(a):
        b = a * 2.0
        while (b if b > 0 else -b) < 1000.0:
            b = b * 2.0
        return b if b > 0 else 100.0 * b

    x = Variable(torch.tensor(a, dtype=torch.float64))
    d = f(x)
    d.backward()
    assert x.gradient.item() == pytest.approx(d.item() / a, rel=1e-12)


def test_a_gradient_has_its_variables_type_and_values_of_torch_lose_their_own_graph():
    x = Variable(torch.ones(2, requires_grad=True))
    y = Variable(torch.ones(2).double())
    ops.sum(x * y).backward()
    assert x.gradient.dtype == torch.float32
    assert y.gradient.dtype == torch.float64
    assert not x.value.requires_grad


BAD = {
    "wants an upstream gradient": lambda x: (x * x).backward(),
    "the upstream gradient has shape": lambda x: x.backward(torch.ones(2)),
    "wants floating-point numbers": lambda x: Variable([1, 2]),
    "got a constant": lambda x: x.detach().backward(),
    "axis 1 is not one of": lambda x: ops.sum(x, axis=1),
    "cross_entropy wants logits": lambda x: ops.cross_entropy(x, torch.tensor([1])),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_done_says_what_to_do(message):
    with pytest.raises(UsageError, match=message) as raised:
        BAD[message](Variable(torch.ones(3)))
    assert "\n" not in str(raised.value)


@given(pair=mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_sum_to_undoes_broadcasting(pair):
    shape = pair.input_shapes[0]
    g = numbers(*pair.result_shape)
    assert torch.allclose(sum_to(g, shape), g.sum_to_size(shape), atol=1e-12)


def test_a_three_layer_mlp_has_torchs_loss_curve():
    X, labels = numbers(64, 8), torch.arange(64) % 3
    sizes = [(8, 16), (16), (16, 16), (16), (16, 3), (3)]
    start = [0.4 * numbers(*(s if isinstance(s, tuple) else (s,)), seed=i)
             for i, s in enumerate(sizes)]  # fmt: skip
    ours = [Variable(array) for array in start]
    theirs = [array.clone().requires_grad_() for array in start]

    def forward(relu, W1, b1, W2, b2, W3, b3):
        return relu(relu(X @ W1 + b1) @ W2 + b2) @ W3 + b3

    curves = []
    for _ in range(100):
        loss, expected = (
            ops.cross_entropy(forward(ops.relu, *ours), labels),
            F.cross_entropy(forward(torch.relu, *theirs), labels),
        )
        curves.append((loss.item(), expected.item()))
        loss.backward()
        gradients = torch.autograd.grad(expected, theirs)
        for variable, tensor, gradient in zip(ours, theirs, gradients, strict=True):
            variable.value = variable.value - 0.5 * variable.gradient
            variable.zero_grad()
            tensor.data -= 0.5 * gradient
    mine, torchs = torch.tensor(curves).unbind(1)
    assert torch.allclose(mine, torchs, rtol=0, atol=1e-5)
    assert mine[-1] < 0.2 * mine[0]


def test_the_graph_has_squares_for_variables_and_circles_for_operations():
    x, W = Variable(torch.ones(3), "x"), Variable(torch.ones(2, 3), "W")
    y = ((W @ x).named("z") * 2.0).named("y")
    y.backward(torch.ones(2))
    graph = y.to_graph()
    names = {node.id: node.label for node in graph.nodes}
    assert [(names[a], names[b]) for a, b in graph.edges] == [
        ("W", "@"), ("x", "@"), ("@", "z"), ("z", "×"), ("2", "×"), ("×", "y"),
    ]  # fmt: skip
    kinds = {node.label: node.kind for node in graph.nodes}
    assert {name for name, kind in kinds.items() if kind == "operation"} == {"@", "×"}
    shapes = {node.label: tuple(node.shape) for node in graph.nodes}
    assert shapes == {"x": (3,), "W": (2, 3), "@": (2,), "z": (2,), "2": (), "×": (2,), "y": (2,)}
    assert next(node.gradient for node in graph.nodes if node.label == "x").tolist() == [4, 4, 4]


def test_the_graph_of_a_leaf_is_one_square_and_of_a_shared_node_has_it_once():
    x = Variable(torch.ones(2), "x")
    assert [node.kind for node in x.to_graph().nodes] == ["variable"]
    a = ops.exp(x)
    assert [node.label for node in (a * a + a).to_graph().nodes].count("exp") == 1


@pytest.mark.parametrize("expression", get_args(ExpressionName))
@pytest.mark.parametrize("size", [1, 3])
def test_the_lab_agrees_with_torch_and_repeats_itself(expression, size):
    first, again = (autodiff(expression, size, seed=3) for _ in range(2))
    assert first.numbers["largest_difference"] < 1e-12
    assert first.numbers == again.numbers
    assert first.figures["graph"] == again.figures["graph"]
    assert first.figures["graph"].lstrip().startswith("<")
    assert autodiff(expression, size, seed=4).numbers["y"] != first.numbers["y"]
