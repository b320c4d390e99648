"""Spaces of networks, and how networks are drawn from them (section 8.8.2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.core.trainer import Trainer
from freedive.topics.modern_cnn.regnet import RegNetX, Stages
from freedive.topics.modern_cnn.resnext import ResNeXtBlock

GROUP_WIDTH = 4
MAX_DEPTH, MAX_CHANNELS = 4, 16 * GROUP_WIDTH
TRIES = 200  # draws for one network of the right cost, before the budget is refused


@dataclass(frozen=True)
class Sample:
    """A network of a design space, and how it did.

    Attributes:
        depths, channels: of its stages.
        macs: multiply-adds for one image.
        error: share of the validation images that it gets wrong.
    """

    depths: tuple[int, ...]
    channels: tuple[int, ...]
    macs: int
    error: float


def any_stages(num_stages: int, chance: torch.Generator) -> Stages:
    """AnyNet: every depth and every width on its own."""
    depths = torch.randint(1, MAX_DEPTH + 1, (num_stages,), generator=chance)
    steps = torch.randint(1, MAX_CHANNELS // GROUP_WIDTH + 1, (num_stages,), generator=chance)
    return tuple(depths.tolist()), tuple((GROUP_WIDTH * steps).tolist())


def rising_stages(num_stages: int, chance: torch.Generator) -> Stages:
    """The part of it in which neither depth nor width falls from stage to stage."""
    depths, channels = any_stages(num_stages, chance)
    return tuple(sorted(depths)), tuple(sorted(channels))


def falling_stages(num_stages: int, chance: torch.Generator) -> Stages:
    """The part of it in which neither depth nor width rises from stage to stage."""
    depths, channels = rising_stages(num_stages, chance)
    return depths[::-1], channels[::-1]


SPACES: dict[str, Callable[[int, torch.Generator], Stages]] = {
    "any": any_stages,
    "rising": rising_stages,
    "falling": falling_stages,
}


def build(stages: Stages, data: DataModule, lr: float) -> RegNetX:
    """The network of some stages, small enough to be trained in a second."""
    depths, channels = stages
    facts = data.model_arguments()
    shape = {name: facts[name] for name in ("in_channels", "image_size", "num_classes")}
    return RegNetX(
        **shape,
        stem_channels=8,
        stem_stride=1,
        depths=depths,
        channels=channels,
        group_width=GROUP_WIDTH,
        lr=lr,
        momentum=0.9,
        schedule="cosine",
    )


def cost(stages: Stages, data: DataModule) -> int:
    """Multiply-adds for one image: a convolution's weights times the pixels that it gives."""
    with torch.device("meta"):
        model = build(stages, data, 0.1)
    side = model.image_size
    total = num_weights(model.net[0], nn.Conv2d) * side**2 + num_weights(model, nn.Linear)
    for block in (m for m in model.modules() if isinstance(m, ResNeXtBlock)):
        first = block.conv1.weight.numel()
        total += first * side**2
        side = -(-side // block.conv2.stride[0])  # the second convolution may halve the size
        total += (num_weights(block, nn.Conv2d) - first) * side**2
    return total


def num_weights(model: nn.Module, kind: type[nn.Conv2d] | type[nn.Linear]) -> int:
    """The weights of all layers of a kind, biases left out."""
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, kind))


def affordable(
    space: str, num_stages: int, budget: float, data: DataModule, seed: int
) -> Iterator[tuple[Stages, int]]:
    """Networks of a space that cost between half the budget and all of it, without end.

    Raises:
        UsageError: none is found in many draws.
    """
    chance = generator(seed, *map(ord, space))
    while True:
        draws = (SPACES[space](num_stages, chance) for _ in range(TRIES))
        priced = ((stages, cost(stages, data)) for stages in draws)
        found = next((p for p in priced if budget / 2 <= p[1] <= budget), None)
        if found is None:
            raise UsageError(
                f"no network of the space {space!r} with {num_stages} stages costs "
                f"{budget / 2:,.0f} to {budget:,.0f} multiply-adds: pass another budget"
            )
        yield found


def population(
    space: str,
    num_networks: int,
    num_stages: int,
    budget: float,
    data: DataModule,
    max_epochs: int,
    lr: float,
    seed: int,
) -> list[Sample]:
    """Networks drawn from a space, each trained for a short time."""
    samples = []
    for stages, macs in islice(affordable(space, num_stages, budget, data, seed), num_networks):
        trainer = Trainer(max_epochs=max_epochs, device="cpu", seed=seed, progress=False)
        history = trainer.fit(build(stages, data, lr), data)
        samples.append(Sample(*stages, macs, 1 - history.last["val_acc"]))
    return samples


def chance_of_gap(
    a: Float[Tensor, " n"], b: Float[Tensor, " m"], seed: int = 0, num_shuffles: int = 10_000
) -> float:
    """How often two groups at random differ in their means as much as these do (two-sided)."""
    pooled, n = torch.cat([a, b]), len(a)
    order = torch.rand(num_shuffles, len(pooled), generator=generator(seed)).argsort(dim=1)
    shuffled = pooled[order]
    gaps = shuffled[:, :n].mean(dim=1) - shuffled[:, n:].mean(dim=1)
    return float((gaps.abs() >= (a.mean() - b.mean()).abs() - 1e-12).double().mean())
