"""Parameters: looking at them, sharing them, drawing their first values (sections 6.2 and 6.3)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, check_arguments
from freedive.topics.building_blocks.blocks import Sequential

Weight = Float[Tensor, "outputs inputs *window"]
Initialiser = Callable[[Tensor], None]


def parameter_table(net: nn.Module) -> list[dict[str, Any]]:
    """A row for every place a parameter stands in; a shared one says where it stood first."""
    first_names: dict[int, str] = {}
    rows = []
    for name, parameter in net.named_parameters(remove_duplicate=False):
        first = first_names.setdefault(id(parameter), name)
        waits = is_lazy(parameter)  # its shape is not known yet
        rows.append(
            {
                "name": name,
                "shape": "unknown" if waits else "×".join(map(str, parameter.shape)) or "()",
                "numbers": 0 if waits or first != name else parameter.numel(),
                "same as": "" if first == name else first,
            }
        )
    return rows


def tied_net(num_inputs: Count = 4, num_hiddens: Count = 8) -> Sequential:
    """A net whose layers 2 and 4 are one: the same parameters, used twice in each pass."""
    check_arguments(tied_net, {"num_inputs": num_inputs, "num_hiddens": num_hiddens})
    shared = nn.Linear(num_hiddens, num_hiddens)
    return Sequential(
        nn.Linear(num_inputs, num_hiddens), nn.ReLU(),
        shared, nn.ReLU(),
        shared, nn.ReLU(),
        nn.Linear(num_hiddens, 1),
    )  # fmt: skip


def fans(weight: Weight) -> tuple[int, int]:
    """How many inputs an output of a layer is made of, and how many outputs an input goes to."""
    window = math.prod(weight.shape[2:])
    return weight.shape[1] * window, weight.shape[0] * window


@torch.no_grad()
def init_normal(weight: Weight, sigma: NonNegative = 0.01) -> None:
    """N(0, σ²)."""
    weight.normal_(0, sigma)


@torch.no_grad()
def init_constant(weight: Weight, value: float = 1.0) -> None:
    """The same number everywhere; then all units of a layer learn the same."""
    weight.fill_(value)


@torch.no_grad()
def init_xavier(weight: Weight) -> None:
    """U(−a, a) with a² = 6/(fan_in + fan_out): for activations like tanh (section 5.4.2.2)."""
    bound = math.sqrt(6 / sum(fans(weight)))
    weight.uniform_(-bound, bound)


@torch.no_grad()
def init_kaiming(weight: Weight) -> None:
    """N(0, 2/fan_in): keeps the size of activations behind ReLU, which drops half of them."""
    fan_in, _ = fans(weight)
    weight.normal_(0, math.sqrt(2 / fan_in))


@torch.no_grad()
def my_init(weight: Weight) -> None:
    """U(−10, 10) where |w| ≥ 5, else 0: a zero in half of the places (section 6.3.1.1)."""
    weight.uniform_(-10, 10)
    weight *= weight.abs() >= 5


INITIALISERS: dict[str, Initialiser] = {
    "normal": init_normal,
    "constant": init_constant,
    "xavier": init_xavier,
    "kaiming": init_kaiming,
    "my_init": my_init,
}


def initialise(net: nn.Module, init: Initialiser, bias: float = 0.0) -> list[str]:
    """Draw the weights of every linear and convolutional layer anew; gives the layers' names.

    Raises:
        UsageError: a layer is lazy, so that what is set now would be lost at the first batch, or
            there is no such layer: in both cases plain PyTorch would do nothing and say nothing.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = {name: module for name, module in net.named_modules() if isinstance(module, kinds)}
    if not layers:
        raise UsageError(f"{type(net).__name__} has no linear or convolutional layer to initialise")
    for name, layer in layers.items():
        if is_lazy(layer.weight):
            raise UsageError(
                f"the layer {name!r} is lazy and has no weights yet: send one batch through the "
                "net first, or name its number of inputs"
            )
    for layer in layers.values():
        init(layer.weight)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, bias)
    return list(layers)
