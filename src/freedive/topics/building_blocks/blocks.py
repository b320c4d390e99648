"""Blocks: modules made of modules (section 6.1)."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, check_arguments


class Sequential(nn.Module):
    """Modules one behind the other, as `torch.nn.Sequential` has them.

    The modules stand in ``_modules``, the dictionary in which PyTorch looks for parameters: a
    plain list would compute the same, but nothing in it could be trained, saved or moved.

    Args:
        modules: in the order of their computation; one may stand in several places.
    """

    def __init__(self, *modules: nn.Module):
        super().__init__()
        register(self, modules)

    def forward(self, X: Tensor) -> Tensor:
        """What the last module makes of it; without modules, X itself."""
        # not children(), which gives a module that stands in two places only once
        for module in self._modules.values():
            assert module is not None
            X = module(X)
        return X

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[nn.Module]:
        return (module for module in self._modules.values() if module is not None)

    def __getitem__(self, i: int) -> nn.Module:
        return list(self)[i]


class Parallel(nn.Module):
    """Branches side by side: all get the same input, and their outputs are concatenated.

    Args:
        branches: two or more; each of them is used.
        dim: the axis of concatenation: features, or the channels of images.
    """

    def __init__(self, *branches: nn.Module, dim: int = 1):
        super().__init__()
        if len(branches) < 2:
            raise UsageError(f"Parallel wants two branches or more, got {len(branches)}")
        register(self, branches)
        self.dim = dim

    def forward(self, X: Tensor) -> Tensor:
        """[b₁(X), b₂(X), …] along one axis."""
        outputs = [branch(X) for branch in self._modules.values() if branch is not None]
        try:
            return torch.cat(outputs, dim=self.dim)
        except (RuntimeError, IndexError):
            shapes = ", ".join(str(tuple(Y.shape)) for Y in outputs)
            raise UsageError(
                f"Parallel cannot join outputs of the shapes {shapes} on axis {self.dim}: "
                "give all other axes the same length"
            ) from None


def register(owner: nn.Module, modules: tuple[nn.Module, ...]) -> None:
    """Make modules the children ``0``, ``1``, … of their owner."""
    for i, module in enumerate(modules):
        if not isinstance(module, nn.Module):
            name = type(owner).__name__
            way_out = (
                f"write {name}(*modules)"
                if isinstance(module, (list, tuple))
                else "take its class from torch.nn, such as nn.ReLU()"
            )
            given = f"a {type(module).__name__} in place {i}"
            raise UsageError(f"{name} wants modules, got {given}: {way_out}")
        owner.add_module(str(i), module)


def copies(make: Callable[[], nn.Module], num_copies: Count) -> list[nn.Module]:
    """A factory of blocks: as many modules as wanted, each with parameters of its own.

    Example:
        >>> stacked = Sequential(*copies(lambda: nn.Linear(20, 20), 3))
        >>> side_by_side = Parallel(*copies(lambda: nn.Linear(20, 256), 3))
        >>> side_by_side(torch.rand(2, 20)).shape
        torch.Size([2, 768])
    """
    check_arguments(copies, {"num_copies": num_copies})
    made = [make() for _ in range(num_copies)]
    owned = [id(parameter) for module in made for parameter in module.parameters()]
    if len(set(map(id, made))) < num_copies or len(set(owned)) < len(owned):
        raise UsageError(
            "copies wants a function that makes a new module at each call, got one whose modules "
            "share parameters: write lambda: nn.Linear(…), or copy.deepcopy(module)"
        )
    return made


class FixedHiddenMLP(nn.Module):
    """A block with a constant weight, a layer that is used twice, and control flow.

    The constant is a buffer: no optimizer moves it, but it is saved and goes along to a device.

    Args:
        num_units: length of an input.
    """

    rand_weight: Tensor

    def __init__(self, num_units: Count = 20):
        super().__init__()
        check_arguments(type(self).__init__, {"num_units": num_units})
        self.register_buffer("rand_weight", torch.rand(num_units, num_units))
        self.linear = nn.Linear(num_units, num_units)

    def forward(self, X: Float[Tensor, "batch units"]) -> Float[Tensor, ""]:
        """The sum of the outputs, halved until their absolute values sum to at most 1."""
        X = self.linear(X)
        X = F.relu(X @ self.rand_weight + 1)
        X = self.linear(X)
        if X.isinf().any():  # half of infinity is infinity: the loop would never end
            raise UsageError("FixedHiddenMLP wants finite numbers, got infinity: scale the inputs")
        while X.abs().sum() > 1:
            X = X / 2
        return X.sum()


class NestMLP(nn.Module):
    """A block with a block inside: 20 → 64 → 32 → 16."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.linear = nn.Linear(32, 16)

    def forward(self, X: Float[Tensor, "batch 20"]) -> Float[Tensor, "batch 16"]:
        """The inner block, then a linear layer."""
        return self.linear(self.net(X))


def chimera() -> Sequential:
    """Blocks of three kinds in one: nested, plain, and with control flow."""
    return Sequential(NestMLP(), nn.Linear(16, 20), FixedHiddenMLP(20))


def regular_net(num_blocks: Count = 4) -> Sequential:
    """Blocks of blocks: so many times 4 → 8 → 4 with ReLUs, then one output."""
    check_arguments(regular_net, {"num_blocks": num_blocks})

    def block() -> Sequential:
        return Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())

    return Sequential(Sequential(*copies(block, num_blocks)), nn.Linear(4, 1))
