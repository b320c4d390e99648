import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable

quick = settings(max_examples=15, deadline=None, derandomize=True)
shapes = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
solid = array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)  # has a largest entry
pairs = mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3)
products = mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2)


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def positive(*shape, seed=0):
    return numbers(*shape, seed=seed).abs() + 0.5


def same(ours, theirs, arrays):
    """An expression in the engine and in torch: value, and gradients under a random upstream."""
    variables = [Variable(array) for array in arrays]
    tensors = [array.clone().requires_grad_() for array in arrays]
    y, expected = ours(*variables), theirs(*tensors)
    assert y.shape == tuple(expected.shape)
    assert torch.allclose(y.value, expected, rtol=0, atol=1e-9)
    upstream = numbers(*expected.shape, seed=99)
    y.backward(upstream)
    gradients = torch.autograd.grad(expected, tensors, upstream)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert variable.gradient.shape == gradient.shape
        assert torch.allclose(variable.gradient, gradient, rtol=0, atol=1e-9)


TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "shared": lambda a, b: (a * b + a) * (a * b) - b / (a * b),
}


@pytest.mark.parametrize("name", TWO)
@given(pair=pairs)
@quick
def test_arithmetic_with_broadcasting_is_torchs(name, pair):
    first, second = pair.input_shapes
    same(TWO[name], TWO[name], [positive(*first), positive(*second, seed=1)])


@given(pair=products)
@quick
def test_matmul_is_torchs_for_vectors_matrices_and_batches(pair):
    left, right = pair.input_shapes
    same(lambda a, b: a @ b, lambda a, b: a @ b, [numbers(*left), numbers(*right, seed=1)])


NUMBERS = {
    "radd": lambda a: 0.1 + a,
    "rsub": lambda a: 0.1 - a,
    "rmul": lambda a: 3 * a,
    "rdiv": lambda a: 0.1 / a,
    "rpow": lambda a: 0.1**a,
    "square": lambda a: a**2,
    "root": lambda a: a**0.5,
    "to the 0": lambda a: a**0,
    "neg": lambda a: -a,
}


@pytest.mark.parametrize("name", NUMBERS)
@given(shape=shapes)
@quick
def test_arithmetic_with_numbers_keeps_double_precision(name, shape):
    same(NUMBERS[name], NUMBERS[name], [positive(*shape)])


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_powers_of_zero_and_of_negative_numbers_have_finite_gradients(exponent):
    x = torch.tensor([0.0, -2.0, 3.0]).double()
    same(lambda a: a**exponent, lambda a: a**exponent, [x])


ONE = ["exp", "log", "sin", "tanh", "sigmoid", "relu"]


@pytest.mark.parametrize("name", ONE)
@given(shape=shapes)
@quick
def test_entrywise_functions_are_torchs(name, shape):
    drawn = positive if name == "log" else numbers
    same(getattr(ops, name), getattr(torch, name), [drawn(*shape)])


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
@given(shape=solid, keepdims=st.booleans(), data=st.data())
@quick
def test_reductions_over_every_choice_of_axes_are_torchs(name, shape, keepdims, data):
    axes = st.none() | st.integers(-len(shape), len(shape) - 1)
    some = st.sets(st.integers(0, len(shape) - 1), min_size=1).map(sorted)
    axis = data.draw(axes | some)
    theirs = getattr(torch, "amax" if name == "max" else name)
    wanted = tuple(range(len(shape))) if axis is None else axis
    x = numbers(*shape).round()  # rounded: several largest entries
    same(
        lambda a: getattr(ops, name)(a, axis, keepdims),
        lambda a: theirs(a, dim=wanted, keepdim=keepdims),
        [x],
    )


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
def test_a_scalar_is_its_own_sum_mean_and_maximum(name):
    x = Variable(torch.tensor(3.0))
    getattr(ops, name)(x).backward()
    assert x.gradient.item() == 1


def test_the_sum_of_nothing_is_zero_and_its_gradient_is_empty():
    x = Variable(torch.zeros(0, 3))
    y = ops.sum(x, axis=0)
    assert torch.equal(y.value, torch.zeros(3))
    y.backward(torch.ones(3))
    assert x.gradient.shape == (0, 3)


@given(shape=shapes)
@quick
def test_reshape_and_transpose_are_torchs(shape):
    same(
        lambda a: ops.reshape(a, 1, *shape, 1), lambda a: a.reshape(1, *shape, 1), [numbers(*shape)]
    )
    if len(shape) > 1:
        same(ops.transpose, lambda a: a.mT, [numbers(*shape)])
        same(lambda a: ops.transpose(a, 0, -1), lambda a: a.transpose(0, -1), [numbers(*shape)])


KEYS = [
    0, -1, slice(None), slice(1, None, 2), slice(0, 0), ..., None, (slice(None), 0),
    (..., slice(None, 2)), [0, 0, 2], torch.tensor([[1, 1], [0, 2]]),
    (torch.tensor([0, 0, 1]), torch.tensor([1, 1, 2])), (slice(None), [3, 3, 0]),
    torch.tensor([True, False, True]),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_torchs_and_what_is_taken_twice_gets_twice(key):
    same(lambda a: a[key], lambda a: a[key], [numbers(3, 4, 2)])


def test_repeated_indices_add_up():
    x = Variable(torch.zeros(3))
    ops.sum(x[[0, 0, 2, 0]]).backward()
    assert x.gradient.tolist() == [3, 0, 1]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("sizes", [(1,), (2, 0, 3), (1, 1, 1, 4)])
def test_concatenation_is_torchs(axis, sizes):
    parts = [numbers(*[n if i == axis % 3 else 2 for i in range(3)], seed=n) for n in sizes]
    same(lambda *v: ops.concatenate(v, axis) * 2.0, lambda *t: torch.cat(t, axis) * 2.0, parts)


@given(pair=pairs)
@quick
def test_where_is_torchs(pair):
    first, second = pair.input_shapes
    condition = numbers(*pair.result_shape, seed=5) > 0
    same(
        lambda a, b: ops.where(condition, a, b),
        lambda a, b: torch.where(condition, a, b),
        [numbers(*first), numbers(*second, seed=1)],
    )


def test_where_takes_a_number_on_either_side():
    condition = torch.tensor([True, False])
    for ours in (lambda a: ops.where(condition, a, 0.1), lambda a: ops.where(~condition, 0.1, a)):
        same(ours, lambda a: torch.where(condition, a, 0.1), [numbers(2)])


@pytest.mark.parametrize("scale", [1.0, 500.0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@given(shape=solid, data=st.data())
@quick
def test_softmax_is_torchs_also_where_exp_overflows(name, scale, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    ours, theirs = getattr(ops, name), getattr(torch, name)
    same(lambda a: ours(a, axis), lambda a: theirs(a, axis), [scale * numbers(*shape)])


@given(batch=st.integers(1, 5), classes=st.integers(1, 5), data=st.data())
@quick
def test_cross_entropy_is_torchs(batch, classes, data):
    labels = torch.tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=batch,
                                             max_size=batch)))  # fmt: skip
    same(
        lambda a: ops.cross_entropy(a, labels),
        lambda a: F.cross_entropy(a, labels),
        [100 * numbers(batch, classes)],
    )
