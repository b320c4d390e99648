"""What each head of a model looks at, in a few figures."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.insight.attention import Attention


def head_summary(
    attentions: Iterable[Attention], lengths: Int[Tensor, " batch"] | None = None
) -> list[dict[str, Any]]:
    """What each head looks at, a row each: means over the queries that see anything.

    ``entropy`` is −Σ w ln w in nats; ``of log keys`` the same as share of the most that the visible
    keys allow, which is 1 for equal weights, over queries that see more than one. ``distance`` is
    Σ w |query − key|, counted in places. ``diagonal``, ``previous`` and ``first`` are the weights
    of the key at the query's own place, at the place before, and at the beginning; NaN where no
    query has such a key.

    Args:
        attentions: as they were caught.
        lengths: how many queries of each row of the batch are no padding; None: all.
    """
    return [
        {"layer": attention.name, "head": head + 1, **_head_row(weights, lengths)}
        for attention in attentions
        for head, weights in enumerate(attention.weights.unbind(dim=1))
    ]


def _head_row(
    weights: Float[Tensor, "batch queries keys"], lengths: Int[Tensor, " batch"] | None
) -> dict[str, float]:
    places = torch.arange(weights.shape[1])
    counted = weights.sum(dim=2) > 0
    if lengths is not None:
        counted &= places < lengths.cpu()[:, None]
    entropy = torch.special.entr(weights).sum(dim=2)
    visible = (weights > 0).sum(dim=2)
    choosing = counted & (visible > 1)
    share = entropy / visible.clamp(min=2).log()
    distance = (places[:, None] - torch.arange(weights.shape[2])).abs()
    own, before = (weights.diagonal(shift, dim1=1, dim2=2) for shift in (0, -1))
    return {
        "entropy": _mean(entropy, counted),
        "of log keys": _mean(share, choosing) if bool(choosing.any()) else 0.0,
        "distance": _mean((weights * distance).sum(dim=2), counted),
        "diagonal": _mean(own, counted[:, : own.shape[1]]),
        "previous": _mean(before, counted[:, 1 : 1 + before.shape[1]]),
        "first": _mean(weights[:, :, :1].sum(dim=2), counted),
    }


def _mean(values: Tensor, counted: Tensor) -> float:
    return float(values[counted].mean())  # of nothing it is NaN
