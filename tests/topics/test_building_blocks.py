"""Blocks, parameters and layers, against torch's own, sums written out, and counts."""

import copy
import doctest
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.topics.building_blocks import blocks
from freedive.topics.building_blocks.blocks import (
    FixedHiddenMLP,
    NestMLP,
    Parallel,
    Sequential,
    chimera,
    copies,
    regular_net,
)
from freedive.topics.building_blocks.custom_layers import (
    Bilinear,
    CenteredLayer,
    Linear,
    RealFourier,
)
from freedive.topics.building_blocks.measuring import expected_deviation, fresh_weights
from freedive.topics.building_blocks.parameters import (
    INITIALISERS,
    fans,
    init_constant,
    initialise,
    my_init,
    parameter_table,
    tied_net,
)


def numbers_of(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("size", [0, 1, 4])
def test_sequential_is_torchs(size: int) -> None:
    modules = [nn.Linear(3, 3) if i % 2 == 0 else nn.Tanh() for i in range(size)]
    ours, theirs, X = Sequential(*modules), nn.Sequential(*modules), torch.rand(2, 3)
    assert torch.equal(ours(X), theirs(X))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours) == size
    assert list(ours) == modules


def test_sequential_computes_a_module_as_often_as_it_stands_there() -> None:
    layer, X = nn.Linear(3, 3), torch.rand(2, 3)
    assert torch.equal(Sequential(layer, layer)(X), layer(layer(X)))
    assert Sequential(layer, layer)[-1] is layer
    with pytest.raises(IndexError):
        Sequential(layer)[1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (torch.relu, "builtin_function_or_method in place 1: take its class from torch.nn"),
        ([nn.ReLU()], r"a list in place 1: write Sequential\(\*modules\)"),
        (None, "NoneType in place 1"),
    ],
)
def test_sequential_refuses_what_is_no_module(wrong: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sequential(nn.ReLU(), wrong)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_parallel_uses_every_branch(count: int) -> None:
    branches, X = copies(lambda: nn.Linear(4, 3), count), torch.rand(2, 4)
    net = Parallel(*branches)
    assert torch.equal(net(X), torch.cat([branch(X) for branch in branches], dim=1))
    net(X).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_parallel_joins_the_channels_of_images() -> None:
    net = Parallel(nn.Conv2d(3, 2, 1), nn.Conv2d(3, 5, 3, padding=1), nn.MaxPool2d(3, 1, 1))
    assert net(torch.rand(2, 3, 7, 9)).shape == (2, 10, 7, 9)
    flat = Parallel(nn.Identity(), nn.Identity(), dim=-1)
    assert flat(torch.rand(4)).shape == (8,)


def test_parallel_says_what_it_cannot_join() -> None:
    with pytest.raises(UsageError, match="two branches or more, got 1"):
        Parallel(nn.ReLU())
    net = Parallel(nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 3))
    with pytest.raises(UsageError, match=r"\(1, 2, 5, 5\), \(1, 2, 3, 3\) on axis 1"):
        net(torch.rand(1, 3, 5, 5))
    with pytest.raises(UsageError, match="on axis 1"):
        Parallel(nn.Identity(), nn.Identity())(torch.rand(4))


def test_copies_are_independent() -> None:
    made = copies(lambda: nn.Linear(20, 256), 3)
    storages = {p.data_ptr() for module in made for p in module.parameters()}
    assert len(storages) == 6
    assert numbers_of(Parallel(*made)) == 16_128
    assert len(copies(nn.ReLU, 1)) == 1


def test_copies_refuse_what_is_not_independent() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="share parameters: write lambda"):
        copies(lambda: layer, 2)
    with pytest.raises(UsageError, match="share parameters"):
        copies(lambda: Sequential(layer), 2)
    with pytest.raises(UsageError, match="num_copies wants a whole number of at least 1, got 0"):
        copies(nn.ReLU, 0)
    assert len(copies(lambda: copy.deepcopy(layer), 2)) == 2


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 1e4, 1e30])
@pytest.mark.parametrize("num_units", [1, 20])
def test_fixed_hidden_mlp_is_the_formula_halved(num_units: int, scale: float) -> None:
    net, X = FixedHiddenMLP(num_units), scale * torch.rand(3, num_units)
    weight, bias = net.linear.weight, net.linear.bias
    H = torch.relu((X @ weight.T + bias) @ net.rand_weight + 1) @ weight.T + bias
    halvings = max(0, math.ceil(math.log2(H.detach().double().abs().sum())))
    assert torch.allclose(net(X), H.sum() / 2.0**halvings, atol=1e-5)
    assert abs(net(X)) <= 1 + 1e-6


def test_fixed_hidden_mlp_ends_on_what_is_no_number() -> None:
    net = FixedHiddenMLP(4)
    nn.init.constant_(net.linear.weight, 1.0)
    with pytest.raises(UsageError, match="got infinity: scale the inputs"):
        net(torch.full((1, 4), torch.inf))
    assert net(torch.full((1, 4), torch.nan)).isnan()
    assert net(torch.empty(0, 4)) == 0


def test_the_constant_is_saved_and_moved_but_not_trained() -> None:
    net = FixedHiddenMLP(20)
    assert numbers_of(net) == 420
    assert "rand_weight" in net.state_dict()
    assert not net.rand_weight.requires_grad
    assert net.to(torch.float64).rand_weight.dtype is torch.float64


def test_nested_blocks_have_the_counts_of_the_book() -> None:
    assert numbers_of(chimera()) == 4712
    assert chimera()(torch.rand(2, 20)).shape == ()
    assert numbers_of(regular_net()) == 309
    assert numbers_of(regular_net(1)) == 76 + 5


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: FixedHiddenMLP(20), (2, 20)),
        (NestMLP, (2, 20)),
        (chimera, (2, 20)),
        (lambda: regular_net(1), (8, 4)),
        (lambda: tied_net(), (8, 4)),
        (lambda: Linear(4, 3), (2, 4)),
        (lambda: Bilinear(4, 3), (2, 4)),
        (lambda: Sequential(Linear(4, 4), CenteredLayer(), RealFourier(4)), (2, 4)),
        (lambda: Sequential(Linear(4, 4), RealFourier(4, magnitudes=True)), (2, 4)),
    ],
)
def test_a_gradient_reaches_every_parameter(make: object, shape: tuple[int, ...]) -> None:
    net = make()
    net(torch.randn(shape)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_parameter_table_counts_what_is_shared_once() -> None:
    rows = {row["name"]: row for row in parameter_table(tied_net())}
    assert len(rows) == 8
    assert sum(row["numbers"] for row in rows.values()) == 121 == numbers_of(tied_net())
    assert rows["4.weight"]["same as"] == "2.weight"
    assert rows["2.weight"]["same as"] == ""
    assert parameter_table(nn.ReLU()) == []
    assert parameter_table(nn.ParameterList([torch.tensor(1.0)]))[0]["shape"] == "()"


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(3, 8, (5, 2)), nn.Conv1d(1, 1, 1)])
def test_fans_are_torchs(layer: nn.Module) -> None:
    assert fans(layer.weight) == nn.init._calculate_fan_in_and_fan_out(layer.weight)


@pytest.mark.parametrize("name", ["default", *INITIALISERS])
@pytest.mark.parametrize(("num_inputs", "num_outputs"), [(500, 300), (300, 500)])
def test_initialisers_have_the_spread_of_their_formula(
    name: str, num_inputs: int, num_outputs: int
) -> None:
    weight = fresh_weights(name, num_inputs, num_outputs, 0.3).double()
    expected = expected_deviation(name, num_inputs, num_outputs, 0.3)
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    assert abs(weight.mean() - int(name == "constant")) <= 6 * expected / 150_000**0.5
    assert not weight.requires_grad


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("xavier", nn.init.xavier_uniform_), ("kaiming", nn.init.kaiming_normal_)],
)
def test_initialisers_are_torchs(ours: str, theirs: object) -> None:
    a, b = torch.empty(40, 30), torch.empty(40, 30)
    torch.manual_seed(3)
    INITIALISERS[ours](a)
    torch.manual_seed(3)
    theirs(b)
    assert torch.allclose(a, b)


def test_my_init_has_a_gap() -> None:
    weight = torch.empty(300, 300)
    my_init(weight)
    assert ((weight == 0) | ((weight.abs() >= 5) & (weight.abs() <= 10))).all()
    assert 0.48 < (weight == 0).double().mean() < 0.52


def test_initialise_does_what_it_says_or_says_why_not() -> None:
    net = Sequential(nn.Conv2d(1, 2, 3, bias=False), Sequential(nn.Linear(4, 3)), nn.BatchNorm1d(3))
    assert initialise(net, init_constant, bias=2.0) == ["0", "1.0"]
    assert (net[0].weight == 1).all()
    assert (net[1][0].bias == 2).all()
    assert (net[2].bias == 0).all(), "batch norm is left alone"
    with pytest.raises(UsageError, match="no linear or convolutional layer"):
        initialise(nn.ReLU(), init_constant)
    lazy = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))
    before = lazy[0].weight.detach().clone()
    with pytest.raises(UsageError, match=r"'1' is lazy .* send one batch"):
        initialise(lazy, init_constant)
    assert torch.equal(lazy[0].weight, before), "nothing is done by halves"


def test_centered_layer() -> None:
    assert CenteredLayer()(torch.arange(1.0, 6.0)).tolist() == [-2, -1, 0, 1, 2]
    assert CenteredLayer()(torch.tensor([[3.0]])).tolist() == [[0]]


@pytest.mark.parametrize(("num_inputs", "num_outputs"), [(1, 1), (5, 3)])
def test_linear_is_torchs(num_inputs: int, num_outputs: int) -> None:
    layer, X = Linear(num_inputs, num_outputs), torch.randn(2, 4, num_inputs)
    expected = F.linear(X, layer.weight.T, layer.bias)
    assert torch.allclose(layer(X), expected, atol=1e-6)
    with pytest.raises(UsageError, match="num_outputs wants a whole number of at least 1, got 0"):
        Linear(num_inputs, 0)


@pytest.mark.parametrize(("num_inputs", "num_outputs"), [(1, 1), (1, 4), (5, 3)])
def test_bilinear_is_torchs_in_value_and_gradient(num_inputs: int, num_outputs: int) -> None:
    layer = Bilinear(num_inputs, num_outputs).double()
    X = torch.randn(3, num_inputs, dtype=torch.float64)
    W = layer.weight.detach().permute(2, 0, 1).clone().requires_grad_()
    expected = F.bilinear(X, X, W)
    assert torch.allclose(layer(X), expected)
    layer(X).square().sum().backward()
    expected.square().sum().backward()
    assert torch.allclose(layer.weight.grad, W.grad.permute(1, 2, 0))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 101])
def test_real_fourier_is_rfft_in_value_and_gradient(n: int) -> None:
    X = torch.randn(2, 3, n, requires_grad=True)
    expected = torch.fft.rfft(X)
    both = torch.cat([expected.real, expected.imag], dim=-1)
    assert torch.allclose(RealFourier(n)(X), both, atol=1e-4)
    assert torch.allclose(RealFourier(n, magnitudes=True)(X), expected.abs(), atol=1e-4)
    chance = torch.rand_like(both)
    ours, theirs = (
        torch.autograd.grad((Y * chance).sum(), X, retain_graph=True)[0]
        for Y in (RealFourier(n)(X), both)
    )
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_real_fourier_of_silence_has_a_gradient() -> None:
    X = torch.zeros(1, 8, requires_grad=True)
    RealFourier(8, magnitudes=True)(X).sum().backward()
    assert X.grad is not None
    assert X.grad.isfinite().all()
    assert list(RealFourier(8).state_dict()) == []
    assert RealFourier(8).double()(torch.zeros(1, 8).double()).dtype is torch.float64


def test_the_examples_in_docstrings_run() -> None:
    assert doctest.testmod(blocks).attempted == 3
    assert doctest.testmod(blocks).failed == 0
