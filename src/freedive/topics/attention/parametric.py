"""Kernel regression whose width is learnt (section 11.2)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.topics.attention.kernels import (
    Kernel,
    Width,
    common_dtype,
    distances,
    gaussian,
    nadaraya_watson,
    pooling_weights,
)

Criterion = Literal["leave-one-out", "training"]


def leave_one_out(
    keys: Real[Tensor, "m *d"],
    values: Real[Tensor, "m *v"],
    kernel: Kernel = gaussian,
    width: Width = 1.0,
) -> tuple[Float[Tensor, "m *v"], Float[Tensor, "m m"]]:
    """The estimate at each key from all the others, and the weights: 0 on the diagonal.

    Args:
        keys: where something is known.
        values: what is known there.
        kernel: a function of distance over width.
        width: σ.

    Raises:
        UsageError: fewer than two keys.
    """
    m = len(keys)
    if m < 2:
        raise UsageError(f"leaving one out wants at least 2 keys, got {m}: add data")
    distance = distances(keys, keys)
    others = ~torch.eye(m, dtype=torch.bool, device=keys.device)
    weights = pooling_weights(distance[others].view(m, m - 1), kernel, width)
    full = torch.zeros_like(distance).masked_scatter(others, weights)
    exact, dtype = common_dtype(full, values), common_dtype(keys, values)
    return (full.to(exact) @ values.to(exact)).to(dtype), full.to(dtype)


class KernelRegression(nn.Module):
    """Nadaraya–Watson with a Gaussian kernel whose width is its one parameter.

    What is learnt is log σ, so that σ stays above 0 whatever a step does. The error to learn it by
    must leave each point out of its own estimate: with itself among the keys, a point is met
    exactly by a width of 0, and the width shrinks towards it.

    Args:
        keys: where something is known; kept as a buffer.
        values: what is known there; kept as a buffer.
        width: σ to begin with.

    Raises:
        UsageError: fewer than two keys, sizes that do not fit, or a width that is not above 0.
    """

    keys: Tensor
    values: Tensor

    def __init__(
        self, keys: Real[Tensor, "m *d"], values: Real[Tensor, "m *v"], width: float = 1.0
    ):
        super().__init__()
        if not 0 < width < math.inf:  # an endless one has no log to learn from
            raise UsageError(f"width wants a finite number above 0, got {width:g}")
        if len(keys) < 2 or len(values) != len(keys):
            raise UsageError(
                f"kernel regression wants at least 2 keys and a value for each, got {len(keys)} "
                f"keys and {len(values)} values"
            )
        self.register_buffer("keys", keys.clone())
        self.register_buffer("values", values.clone())
        # in float32 at least, since in half precision small steps of the width round to none
        dtype = torch.promote_types(common_dtype(keys, values), torch.float32)
        self.log_width = nn.Parameter(torch.tensor(width, dtype=dtype).log())

    @property
    def width(self) -> Float[Tensor, ""]:
        """σ."""
        return self.log_width.exp()

    def forward(self, queries: Real[Tensor, "n *d"]) -> Float[Tensor, "n *v"]:
        """The estimate at each query."""
        return nadaraya_watson(queries, self.keys, self.values, gaussian, self.width)[0]

    def loss(self, criterion: Criterion = "leave-one-out") -> Float[Tensor, ""]:
        """The mean squared error at the keys, each left out of its own estimate, or not.

        Args:
            criterion: ``training`` keeps each point among its own keys, to show what comes of it.
        """
        if criterion == "training":
            estimates = self(self.keys)
        else:
            estimates, _ = leave_one_out(self.keys, self.values, gaussian, self.width)
        return (estimates - self.values).to(self.log_width.dtype).square().mean()


@dataclass(frozen=True)
class Learning:
    """Widths and losses before each step and after the last."""

    widths: list[float]
    losses: list[float]


def learn_width(
    model: KernelRegression,
    steps: int = 100,
    lr: float = 0.1,
    criterion: Criterion = "leave-one-out",
) -> Learning:
    """Adam on log σ; the model keeps the last width.

    Args:
        model: whose width is learnt.
        steps: how many steps.
        lr: the learning rate; no step changes σ by a factor of much more than 1 + lr.
        criterion: the error that is made smaller.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    widths, losses = [], []
    for step in range(steps + 1):
        optimizer.zero_grad()
        loss = model.loss(criterion)
        widths.append(model.width.item())
        losses.append(loss.item())
        if step < steps:
            loss.backward()
            optimizer.step()
    return Learning(widths, losses)
