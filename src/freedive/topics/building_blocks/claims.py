"""What the book says about blocks and layers of one's own, as checks (sections 6.1 and 6.5)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.building_blocks import pitfalls
from freedive.topics.building_blocks.blocks import (
    FixedHiddenMLP,
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
from freedive.topics.building_blocks.measuring import block_distances, num_parameters, reached

Evidence = Iterator[tuple[Any, ...]]


def complaint(action: Callable[[], Any]) -> str:
    """The error of an action, with its type; a text of its own where there is none."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def two_layers(num_hiddens: int = 256) -> list[nn.Module]:
    """The modules of the section's MLP."""
    return [nn.Linear(20, num_hiddens), nn.ReLU(), nn.Linear(num_hiddens, 10)]


@claim("6.1.2", "the hand-written Sequential is nn.Sequential", ("000 C31", "001_003_004 C41"))
def own_sequential() -> Evidence:
    """Outputs, gradients and names, from the same modules."""
    modules, X = two_layers(), torch.rand(2, 20)
    ours, theirs = Sequential(*modules), nn.Sequential(*modules)
    yield ours(X).detach(), theirs(X).detach(), 0.0
    yield list(ours.state_dict()) == list(theirs.state_dict()), True
    yield num_parameters(ours), 7946
    gradients = [torch.autograd.grad(net(X).sum(), [*net.parameters()]) for net in (ours, theirs)]
    for a, b in zip(*gradients, strict=True):
        yield a, b, 0.0


@claim(
    "6.1.2",
    "modules in a plain list compute, but cannot be trained or saved",
    ("001_003_004 C42", "001_003_004 exercise E63"),
)
def plain_list() -> Evidence:
    """The same outputs as a Sequential; no parameters; what an optimizer says to that."""
    modules, X = two_layers(), torch.rand(2, 20)
    net = pitfalls.ListSequential(*modules)
    yield net(X).detach(), Sequential(*modules)(X).detach(), 0.0
    yield num_parameters(net), 0
    yield len(net.state_dict()), 0
    said = complaint(lambda: torch.optim.SGD(net.parameters(), lr=0.1))
    yield said.startswith("ValueError") and "empty parameter list" in said, True


@claim(
    "6.1.2",
    "a list in the place of the dictionary _modules is an error at the first use",
    ("001_003_004 C43", "001_003_004 exercise E63"),
)
def replaced_modules() -> Evidence:
    """What torch asks the list for."""
    net = Sequential(*two_layers())
    net._modules = list(net)  # type: ignore[assignment]
    for use in (lambda: net(torch.rand(2, 20)), lambda: list(net.parameters()), net.state_dict):
        said = complaint(use)
        yield said.startswith("AttributeError: 'list' object has no attribute"), True


@claim(
    "6.1.2",
    "with modules for names in _modules a net computes, but has no state_dict",
    ("001_003_004 C44", "001_003_004 exercise E64"),
)
def modules_as_keys() -> Evidence:
    """It computes, and then cannot be saved."""
    net = pitfalls.ModuleKeys(*two_layers())
    yield list(net(torch.rand(2, 20)).shape), [2, 10]
    yield complaint(net.state_dict).startswith("TypeError"), True


@claim(
    "6.1",
    "a layer made in forward is no part of the model, and every call gives something else",
    ("001_003_004 C45", "001_003_004 exercise E64"),
)
def layer_in_forward() -> Evidence:
    """Parameters, and two calls."""
    net, X = pitfalls.LayerInForward(lambda: nn.Linear(20, 256)), torch.rand(2, 20)
    yield num_parameters(net), 0
    yield torch.equal(net(X), net(X)), False


@claim(
    "6.1",
    "a parallel block joins all its branches; the learner's joined two of three",
    ("001_003_004 C46", "001_003_004 exercise E64"),
)
def parallel() -> Evidence:
    """128 units each; how many parameters get a gradient."""
    branches, X = copies(lambda: nn.Linear(20, 128), 3), torch.rand(2, 20)
    ours, theirs = Parallel(*branches), pitfalls.FirstTwoBranches(*branches)
    yield list(ours(X).shape), [2, 384]
    yield ours(X).detach(), torch.cat([b(X) for b in branches], dim=1).detach(), 0.0
    yield list(theirs(X).shape), [2, 256]
    yield reached(theirs, X), "4 of 6"
    yield reached(ours, X), "6 of 6"


@claim(
    "6.1",
    "a factory makes independent copies: three layers 20 to 256 side by side have 16,128 numbers",
    ("001_003_004 C46", "001_003_004 exercise E65"),
)
def factory() -> Evidence:
    """Side by side and one behind the other; a step of one copy leaves the others alone."""
    made = copies(lambda: nn.Linear(20, 256), 3)
    yield list(Parallel(*made)(torch.rand(2, 20)).shape), [2, 768]
    yield num_parameters(Parallel(*made)), 16_128
    before = made[1].get_parameter("weight").detach().clone()
    with torch.no_grad():
        made[0].get_parameter("weight").zero_()
    yield made[1].get_parameter("weight").detach(), before, 0.0
    chain = Sequential(*copies(lambda: nn.Linear(20, 20), 3))
    yield list(chain(torch.rand(2, 20)).shape), [2, 20]


@claim(
    "6.1.3",
    "the constant weight is no parameter: 420 numbers are trained, and |output| ≤ 1",
    ("000 C32", "001_003_004 C41"),
)
def fixed_weight() -> Evidence:
    """After training steps the constant is what it was; inputs of many sizes."""
    net = FixedHiddenMLP(20)
    constant = net.rand_weight.clone()
    yield num_parameters(net), 420
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for scale in (0.0, 0.01, 1.0, 1e3, 1e30):
        optimizer.zero_grad()
        output = net(scale * torch.rand(2, 20))
        yield abs(float(output.detach())), (0.0, 1.0 + 1e-6)
        output.backward()
        optimizer.step()
    yield net.rand_weight, constant, 0.0
    yield num_parameters(chimera()), 4712


@claim(
    "6.1.3",
    "a constant that is a plain attribute is neither saved nor moved; a buffer is both",
    ("001_003_004 C41", "001_003_004 exercise E66", "000 E11"),
)
def constant_as_buffer() -> Evidence:
    """Names in the state_dict, and where the constant is after a move."""
    plain, buffered = pitfalls.PlainConstant(20), FixedHiddenMLP(20)
    yield sorted(plain.state_dict()) == ["linear.bias", "linear.weight"], True
    yield sorted(buffered.state_dict()) == ["linear.bias", "linear.weight", "rand_weight"], True
    yield str(plain.to("meta").rand_weight.device), "cpu"
    yield str(buffered.to("meta").rand_weight.device), "meta"


@claim(
    "6.1",
    "four blocks 4 to 8 to 4 have 309 numbers, and bring two inputs nearer sevenfold each",
    "000 S20",
)
def regular() -> Evidence:
    """So that two equal outputs are no mistake: mean distances over 300 draws."""
    yield num_parameters(regular_net()), 309
    yield list(regular_net()(torch.rand(2, 4)).shape), [2, 1]
    first, *_, last = block_distances(4, 300)
    yield (first / last) ** 0.25, (6.0, 10.0)


@claim("6.5.1", "a centered layer's outputs have mean 0", ("000 C36", "002a C122"))
def centered() -> Evidence:
    """The printed example, and behind a linear layer."""
    X = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    yield CenteredLayer()(X), [-2.0, -1.0, 0.0, 1.0, 2.0]
    net = Sequential(nn.Linear(8, 128), CenteredLayer())
    yield float(net(torch.rand(4, 8)).mean().detach()), 0.0, 1e-7


@erratum(
    "6.5.2",
    "a custom layer learns when its formula has the parameters themselves",
    printed="MyLinear computes with weight.data and bias.data: its output has no gradient",
    source=("002a E45", "002a C123", "000 E10", "001_003_004 C47", "001_003_004 E46"),
)
def data_cuts_the_graph() -> Evidence:
    """Alone it is an error to go backward; inside a net nothing complains, and it never learns."""
    X = torch.rand(4, 5)
    said = complaint(lambda: pitfalls.DetachedLinear(5, 3)(X).sum().backward())
    yield said.startswith("RuntimeError"), True
    yield reached(Sequential(pitfalls.DetachedLinear(5, 3), nn.Linear(3, 1)), X), "2 of 4"
    yield reached(Sequential(Linear(5, 3), nn.Linear(3, 1)), X), "4 of 4"
    linear = Linear(5, 3)
    yield linear(X).detach(), F.linear(X, linear.weight.T, linear.bias).detach(), 1e-6


@claim(
    "6.5",
    "y_k = Σ W_ijk x_i x_j is one einsum, and nn.Bilinear with x in both places",
    ("001_003_004 C48", "001_003_004 exercise E70"),
)
def bilinear() -> Evidence:
    """Against the sums written out for one input, and torch's layer."""
    layer, X = Bilinear(4, 3).double(), torch.randn(5, 4, dtype=torch.float64)
    theirs = nn.Bilinear(4, 4, 3, bias=False).double()
    theirs.weight = nn.Parameter(layer.weight.detach().permute(2, 0, 1))
    yield layer(X).detach(), theirs(X, X).detach(), 1e-12
    W, x = layer.weight.detach(), X[0]
    sums = [
        float(sum(W[i, j, k] * x[i] * x[j] for i in range(4) for j in range(4))) for k in range(3)
    ]
    yield layer(X[:1])[0].detach(), sums, 1e-12


@claim(
    "6.5",
    "of a real signal's Fourier coefficients n//2 + 1 say everything: the others are conjugates",
    ("001_003_004 C49", "001_003_004 exercise E71"),
)
def real_fourier() -> Evidence:
    """Even and odd lengths, against torch's rfft; the other bins of the full transform."""
    for n in (1, 2, 7, 64, 1001):
        X: Tensor = torch.randn(3, n)
        expected = torch.fft.rfft(X)
        yield RealFourier(n)(X), torch.cat([expected.real, expected.imag], dim=1), 1e-3
        yield RealFourier(n, magnitudes=True)(X), expected.abs(), 1e-3
        full = torch.fft.fft(X)
        rest = (n - 1) // 2  # bins that are left out
        mirrored = expected[:, 1 : rest + 1].flip(1).conj().resolve_conj()
        yield torch.view_as_real(full[:, n - rest :]), torch.view_as_real(mirrored), 1e-3
