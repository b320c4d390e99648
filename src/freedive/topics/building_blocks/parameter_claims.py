"""What the book says about parameters, as checks (sections 6.2 to 6.4)."""

import copy
import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from freedive.catalog import claim, erratum
from freedive.topics.building_blocks.blocks import Sequential
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.building_blocks.parameters import (
    init_constant,
    init_kaiming,
    init_normal,
    init_xavier,
    initialise,
    my_init,
    parameter_table,
    tied_net,
)

Evidence = Iterator[tuple[Any, ...]]


def small_net() -> Sequential:
    """The section's net: 4 inputs, 8 hidden units, 1 output."""
    return Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def lazy_net() -> nn.Sequential:
    """The same where the numbers of inputs are left open."""
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))


@claim(
    "6.2.1",
    "4 inputs, 8 hidden units and 1 output: 49 numbers under four names, in 32-bit floats",
    ("000 C33", "002a C115"),
)
def names_and_shapes() -> Evidence:
    """Names with shapes, the output, and what one parameter is."""
    net = small_net()
    rows = [(row["name"], row["shape"]) for row in parameter_table(net)]
    printed = [("0.weight", "8×4"), ("0.bias", "8"), ("2.weight", "1×8"), ("2.bias", "1")]
    yield rows == printed, True
    yield num_parameters(net), 49
    yield list(net(torch.rand(2, 4)).shape), [2, 1]
    bias = net[2].get_parameter("bias")
    yield type(bias) is nn.Parameter and bias.dtype is torch.float32, True
    yield bias.grad is None, True  # until something goes backward


@erratum(
    "6.2.1",
    "two looks at one parameter show the same numbers",
    printed="net[2].weight is shown twice with different numbers beside the same bias",
    source="002a E43",
)
def two_looks() -> Evidence:
    """By index and by the state_dict, before and after a pass."""
    net = small_net()
    first = net[2].get_parameter("weight").detach().clone()
    net(torch.rand(2, 4))
    yield net.state_dict()["2.weight"], first, 0.0


@claim(
    "6.2.2",
    "a tied layer is one object in two places: 121 numbers, 6 parameters, 8 names when saved",
    ("000 C35", "002a C117", "002a C119", "001_003_004 C50", "001_003_004 exercise E68"),
)
def tied_is_one() -> Evidence:
    """Also after one entry is written, and after a training step."""
    net = tied_net()
    yield num_parameters(net), 121
    yield len(list(net.parameters())), 6
    yield len(net.state_dict()), 8
    yield any(name.startswith("4.") for name, _ in net.named_parameters()), False
    a, b = net[2].get_parameter("weight"), net[4].get_parameter("weight")
    with torch.no_grad():
        a[0, 0] = 100
    yield b.detach(), a.detach(), 0.0
    net(torch.rand(2, 4)).sum().backward()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    yield a is b, True


@claim(
    "6.2.2",
    "the gradient of a tied layer is the sum over its uses",
    ("000 C35", "002a C118", "001_003_004 C50", "001_003_004 exercise E68"),
)
def tied_gradients() -> Evidence:
    """Against a copy of the net with the two places untied."""
    tied, X = tied_net().double(), torch.rand(2, 4, dtype=torch.float64)
    first, relu, second, _, third, _, last = copy.deepcopy(tied)
    third = copy.deepcopy(second)
    untied = Sequential(first, relu, second, relu, third, relu, last)
    for net in (tied, untied):
        net(X).sum().backward()
    for name in ("weight", "bias"):
        both = [layer.get_parameter(name).grad for layer in (second, third)]
        assert both[0] is not None and both[1] is not None  # noqa: PT018
        yield tied[2].get_parameter(name).grad, both[0] + both[1], 1e-12


@claim(
    "6.2.2",
    "a linear autoencoder that decodes with its encoder's weights learns WᵀW = I",
    ("001_003_004 C51", "001_003_004 exercise E69"),
)
def tied_autoencoder() -> Evidence:
    """Six numbers through two, by L-BFGS on ‖X − XWWᵀ‖²."""
    X = torch.randn(100, 6, dtype=torch.float64)
    W = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([W], max_iter=200, line_search_fn="strong_wolfe")

    def error() -> Tensor:
        optimizer.zero_grad()
        loss = (X - X @ W @ W.T).square().mean()
        loss.backward()
        return loss

    optimizer.step(error)
    yield (W.T @ W).detach(), torch.eye(2), 1e-3


@claim(
    "6.3.1",
    "normal, constant, Xavier and 42 on a net 4-8-1",
    ("002a C120", "002a C121", "001_003_004 exercise E67"),
)
def built_in_initialisers() -> Evidence:
    """Rows, bounds and spreads; the biases are 0."""
    net = small_net()
    yield initialise(net, init_constant) == ["0", "2"], True
    yield net[0].get_parameter("weight")[0].detach(), [1.0] * 4, 0.0
    yield net[0].get_parameter("bias").detach(), torch.zeros(8), 0.0
    initialise(net[2], lambda weight: init_constant(weight, 42))
    yield net[2].get_parameter("weight").detach(), torch.full((1, 8), 42.0), 0.0
    init_xavier(net[0].get_parameter("weight"))
    yield math.sqrt(6 / (4 + 8)), 0.7071, 1e-4
    yield float(net[0].get_parameter("weight").detach().abs().max()), (0.3, 0.7072)
    wide = nn.Linear(400, 800)
    yield float(wide.weight.detach().abs().max()), (0.99 / 20, 1 / 20)  # torch's own: 1/√fan_in
    spreads = {
        init_normal: 0.01,
        init_xavier: math.sqrt(2 / 1200),
        init_kaiming: math.sqrt(2 / 400),
    }
    for init, spread in spreads.items():
        init(wide.weight)
        yield float(wide.weight.std().detach()) / spread, 1.0, 0.01


@claim(
    "6.3.1.1",
    "U(−10, 10) where |w| ≥ 5: half are 0, a quarter each in ±[5, 10], the variance is 29.17",
    "000 C34",
)
def custom_initialiser() -> Evidence:
    """A million draws, within five standard errors."""
    weight = torch.empty(1000, 1000)
    my_init(weight)
    yield float((weight == 0).double().mean()), 0.5, 0.0025
    yield float((weight > 0).double().mean()), 0.25, 0.0022
    yield float(weight[weight != 0].abs().min()), (5.0, 5.01)
    yield float(weight.abs().max()), (9.99, 10.0)
    yield float(weight.double().var()), 175 / 6, 0.2


@claim("6.4", "a lazy layer has no shape until its first batch, then (256, 20)", "002a C116")
def lazy_shapes() -> Evidence:
    """Before and after."""
    net = nn.Sequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10))
    yield all(is_lazy(parameter) for parameter in net.parameters()), True
    yield all(row["shape"] == "unknown" for row in parameter_table(net)), True
    net(torch.rand(2, 20))
    yield list(net[0].get_parameter("weight").shape), [256, 20]
    yield parameter_table(net)[2]["shape"], "10×256"


@erratum(
    "6.3.1",
    "initialisers work on layers that have weights: send a batch through a lazy net first",
    printed="type(m) == nn.Linear selects layers; it is False for a lazy one, and nothing is done",
    source="002a E44",
)
def skipped_initialiser() -> Evidence:
    """The printed function before the first batch, and after it; ours refuses instead."""

    def init_printed(module: nn.Module) -> None:
        if type(module) is nn.Linear:
            init_constant(module.weight)

    net, X = lazy_net(), torch.rand(2, 4)
    net.apply(init_printed)
    net(X)
    yield bool((net[0].get_parameter("weight") == 1).any()), False
    net.apply(init_printed)
    yield bool((net[0].get_parameter("weight") == 1).all()), True
    try:
        initialise(lazy_net(), init_constant)
        said = "nothing"
    except ValueError as error:
        said = str(error)
    yield bool(re.search("'0' is lazy .* send one batch", said)), True


@claim(
    "6.4",
    "weights that are set before a lazy layer's first batch are drawn anew at that batch",
    ("002a E3", "002a C39"),
)
def lost_initialisation() -> Evidence:
    """200 inputs: the spread is that of U(±1/√200), five times what was asked for."""
    lazy, X = nn.LazyLinear(100), torch.rand(2, 200)
    lazy.weight.data.normal_(0, 0.01)
    lazy(X)
    yield float(lazy.weight.std().detach()), 1 / math.sqrt(3 * 200), 1e-3
    init_normal(lazy.weight, 0.01)
    yield float(lazy.weight.std().detach()), 0.01, 3e-4
