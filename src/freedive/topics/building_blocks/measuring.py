"""What this room measures on nets that are drawn and never trained (sections 6.1 to 6.5)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.random import preserved_random_state, seed_everything
from freedive.topics.building_blocks.blocks import regular_net
from freedive.topics.building_blocks.parameters import INITIALISERS, init_normal


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The same draws inside each time, and no trace of them outside."""
    with preserved_random_state():
        seed_everything(seed)
        yield


def num_parameters(net: nn.Module) -> int:
    """How many numbers can be trained."""
    return sum(parameter.numel() for parameter in net.parameters())


def reached(net: nn.Module, X: Tensor) -> str:
    """To how many of its parameters a gradient comes."""
    Y = net(X)
    if Y.requires_grad:
        Y.square().sum().backward()
    found = [parameter.grad is not None for parameter in net.parameters()]
    return f"{sum(found)} of {len(found)}"


def block_distances(num_blocks: int, num_draws: int) -> list[float]:
    """How far two inputs are apart before and after each block, in their farthest coordinate."""
    distances = torch.zeros(num_blocks + 1)
    with torch.no_grad():
        for _ in range(num_draws):
            X, blocks = torch.rand(2, 4), regular_net(num_blocks)[0]
            for i, block in enumerate([nn.Identity(), *blocks.children()]):
                X = block(X)
                distances[i] += (X[0] - X[1]).abs().max() / num_draws
    return distances.tolist()


def fresh_weights(
    name: str, num_inputs: int, num_outputs: int, sigma: float
) -> Float[Tensor, "outputs inputs"]:
    """A linear layer's weights by an initialiser's name; ``default`` is torch's own."""
    weight = nn.Linear(num_inputs, num_outputs).weight.detach()
    if name == "normal":
        init_normal(weight, sigma)
    elif name != "default":
        INITIALISERS[name](weight)
    return weight


def expected_deviation(name: str, num_inputs: int, num_outputs: int, sigma: float) -> float:
    """The standard deviation of an initialiser, by its formula."""
    return {
        "default": 1 / math.sqrt(3 * num_inputs),  # U(±1/√fan_in)
        "normal": sigma,
        "constant": 0.0,
        "xavier": math.sqrt(2 / (num_inputs + num_outputs)),
        "kaiming": math.sqrt(2 / num_inputs),
        "my_init": math.sqrt((10**3 - 5**3) / 30),  # half of the mean square on [5, 10]
    }[name]


def signal_sizes(name: str, num_units: int, depth: int, sigma: float) -> list[float]:
    """The root mean square of a signal of size 1 after each of some layers with ReLU."""
    X = torch.randn(64, num_units, dtype=torch.float64)
    X = X / X.square().mean().sqrt()
    sizes = []
    for _ in range(depth):
        weight = fresh_weights(name, num_units, num_units, sigma).double()
        X = torch.relu(X @ weight.T)
        sizes.append(float(X.square().mean().sqrt()))
    return sizes


def two_tones(length: int, noise: float) -> Float[Tensor, "length"]:
    """Five waves and, half as loud, twelve waves, in noise."""
    turn = 2 * math.pi * torch.arange(length) / length
    return torch.sin(5 * turn) + 0.5 * torch.sin(12 * turn) + noise * torch.randn(length)
