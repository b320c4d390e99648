"""Attention pooling by similarity: kernels of a distance, Nadaraya–Watson (11.1 and 11.2)."""

from collections.abc import Callable
from functools import reduce

import torch
from jaxtyping import Float, Real
from torch import Tensor

from freedive.core.errors import UsageError

Kernel = Callable[[Tensor], Tensor]
Width = float | Tensor


def gaussian(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """exp(−u²/2): near keys count most, and every key counts.

    Args:
        u: distances over a width, u = ‖q − k‖/σ.
    """
    return torch.exp(-(u**2) / 2)


def boxcar(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """1 where |u| ≤ 1, else 0: all keys within the width count the same.

    The edge belongs to it, as in the book's formula; the book's program leaves it out.

    Args:
        u: distances over a width.
    """
    return (u.abs() <= 1).to(u.dtype)


def constant(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """1 everywhere: the query does not matter.

    Args:
        u: distances over a width.
    """
    return torch.ones_like(u)


def triangular(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """max(0, 1 − |u|): falls along a straight line. The book calls it Epanechnikov's.

    Args:
        u: distances over a width.
    """
    return (1 - u.abs()).clamp(min=0)


def epanechnikov(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """¾ max(0, 1 − u²): the kernel that Epanechnikov found best in 1969, a parabola.

    Args:
        u: distances over a width.
    """
    return 0.75 * (1 - u**2).clamp(min=0)


KERNELS: dict[str, Kernel] = {
    "gaussian": gaussian,
    "boxcar": boxcar,
    "constant": constant,
    "triangular": triangular,
    "epanechnikov": epanechnikov,
}


def common_dtype(*tensors: Tensor) -> torch.dtype:
    """What numbers of all these types are computed into; whole numbers become floating."""
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    return dtype if dtype.is_floating_point else torch.get_default_dtype()


def distances(queries: Real[Tensor, "n *d"], keys: Real[Tensor, "m *d"]) -> Float[Tensor, "n m"]:
    """‖q − k‖ of each query to each key, in float32 at least.

    From differences, not from q·q − 2q·k + k·k, which loses what near keys differ by.

    Args:
        queries: numbers or vectors.
        keys: as many numbers each.

    Raises:
        UsageError: queries and keys differ in size.
    """
    if queries.dim() not in (1, 2) or queries.shape[1:] != keys.shape[1:]:
        raise UsageError(
            f"queries and keys want one size, (n,) with (m,) or (n, d) with (m, d), got "
            f"{tuple(queries.shape)} and {tuple(keys.shape)}: reshape one of them"
        )
    dtype = torch.promote_types(common_dtype(queries, keys), torch.float32)
    apart = queries.to(dtype)[:, None] - keys.to(dtype)
    return apart.abs() if apart.dim() == 2 else torch.linalg.vector_norm(apart, dim=-1)


def check_width(width: Width) -> None:
    """Raise `UsageError` unless it is one number above 0."""
    given = torch.as_tensor(width).detach()
    if given.numel() != 1:
        raise UsageError(f"width wants one number, got {given.numel()}: pool once for each")
    if not given.item() > 0:
        raise UsageError(f"width wants a number above 0, got {given.item():g}")


def pooling_weights(
    distance: Float[Tensor, "*n m"], kernel: Kernel = gaussian, width: Width = 1.0
) -> Float[Tensor, "*n m"]:
    """The kernel at each distance, divided by the sum over the keys: attention weights.

    α(q, kᵢ) / Σⱼ α(q, kⱼ). A row sums to 1, or is 0 throughout where the kernel is: there is
    nothing to attend to, as in a softmax that masks the whole row. The Gaussian's is
    softmax(−d²/2σ²) and never empty: far from all keys, where the kernel itself is rounded to 0,
    the nearest key still counts most.

    Args:
        distance: of each query to each key.
        kernel: a function of distance over width, such as one of `KERNELS`.
        width: σ, the unit of the distances.

    Raises:
        UsageError: the width is not above 0.
    """
    check_width(width)
    u = distance / width
    if kernel is gaussian:
        return torch.softmax(gaussian_scores(u), dim=-1)
    similarity = kernel(u)
    total = similarity.sum(dim=-1, keepdim=True)
    # two steps, since the gradient of 0/0 is NaN also where it is then replaced
    return similarity / torch.where(total > 0, total, torch.ones_like(total))


def gaussian_scores(u: Float[Tensor, "*n m"]) -> Float[Tensor, "*n m"]:
    """−u²/2, shifted to 0 at the nearest key, which no softmax over the keys can tell.

    As −(u − u₀)(u + u₀)/2, since far away the squares would be rounded, or overflow, before they
    are subtracted.

    Args:
        u: distances over a width.
    """
    if u.shape[-1] == 0:
        return u
    nearest = u.amin(dim=-1, keepdim=True).detach()
    return -(u - nearest) * (u + nearest) / 2


def nadaraya_watson(
    queries: Real[Tensor, "n *d"],
    keys: Real[Tensor, "m *d"],
    values: Real[Tensor, "m *v"],
    kernel: Kernel = gaussian,
    width: Width = 1.0,
) -> tuple[Float[Tensor, "n *v"], Float[Tensor, "n m"]]:
    """Attention pooling by similarity: an estimate at each query, and the weights it is made of.

    f(q) = Σᵢ vᵢ α(q, kᵢ) / Σⱼ α(q, kⱼ), in section 11.2. A query that no key is near enough to
    has weights of 0 and the estimate 0. Half precision is computed in float32 and rounded once,
    at the end.

    Args:
        queries: where to estimate.
        keys: where something is known.
        values: what is known there, a number or a vector for each key.
        kernel: a function of distance over width, such as one of `KERNELS`.
        width: σ; a tensor that wants a gradient gets one.

    Raises:
        UsageError: sizes that do not fit, or a width that is not above 0.
    """
    if values.dim() not in (1, 2) or len(values) != len(keys):
        raise UsageError(
            f"values want a row for each of the {len(keys)} keys, (m,) or (m, v), got "
            f"{tuple(values.shape)}"
        )
    dtype = common_dtype(queries, keys, values)
    weights = pooling_weights(distances(queries, keys), kernel, width)
    exact = common_dtype(weights, values)
    estimate = weights.to(exact) @ values.to(exact)
    return estimate.to(dtype), weights.to(dtype)
