"""Modules that learners write and that go wrong without a word: what is mended stands in `blocks`.

Each computes something, and each has lost its parameters, a branch, or its gradient. They are here
to be measured, in the claims and labs of this room, and never to be used.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ListSequential(nn.Module):
    """A chain whose modules stand in a plain list: PyTorch sees none of their parameters."""

    def __init__(self, *modules: nn.Module):
        super().__init__()
        self.layers = list(modules)

    def forward(self, X: Tensor) -> Tensor:
        """What `Sequential` computes."""
        for module in self.layers:
            X = module(X)
        return X


class ModuleKeys(nn.Module):
    """A chain whose ``_modules`` has modules for keys: it runs, but cannot be saved."""

    def __init__(self, *modules: nn.Module):
        super().__init__()
        for module in modules:
            self._modules[module] = module  # type: ignore[index]

    def forward(self, X: Tensor) -> Tensor:
        """What `Sequential` computes."""
        for module in self._modules.values():
            assert module is not None
            X = module(X)
        return X


class LayerInForward(nn.Module):
    """A layer that is made anew at every call: never trained, never twice the same."""

    def __init__(self, make: Callable[[], nn.Module]):
        super().__init__()
        self.make = make

    def forward(self, X: Tensor) -> Tensor:
        """Another random answer each time."""
        return self.make()(X)


class FirstTwoBranches(nn.Module):
    """A parallel block that takes any number of branches and computes two of them."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, X: Tensor) -> Tensor:
        """The outputs of the first two branches alone."""
        return torch.cat([self.branches[0](X), self.branches[1](X)], dim=1)


class PlainConstant(nn.Module):
    """A constant weight that is a plain attribute: neither saved nor moved to a device."""

    def __init__(self, num_units: int):
        super().__init__()
        self.rand_weight = torch.rand(num_units, num_units)
        self.linear = nn.Linear(num_units, num_units)

    def forward(self, X: Tensor) -> Tensor:
        """Two layers, of which the second is constant."""
        return self.linear(X) @ self.rand_weight


class DetachedLinear(nn.Module):
    """A layer that computes with ``.data``: no gradient reaches its parameters."""

    def __init__(self, num_inputs: int, num_outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_inputs, num_outputs))
        self.bias = nn.Parameter(torch.randn(num_outputs))

    def forward(self, X: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """relu(XW + b), with numbers that autograd does not know."""
        return F.relu(X @ self.weight.data + self.bias.data)
