"""Surprise in nats: surprisal, entropy, cross-entropy, divergence (section 4.1.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError


def surprisal(p: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """−log p: 0 for what is sure, without end for what cannot be (section 4.1.3.2).

    >>> surprisal(torch.tensor([1.0, 0.5]))
    tensor([-0.0000, 0.6931])
    """
    return -torch.log(p)


def cross_entropy_of(
    P: Float[Tensor, "*n outcomes"], Q: Float[Tensor, "*n outcomes"]
) -> Float[Tensor, "*n"]:
    """H(P, Q) = −Σ P log Q: what P surprises those who believe Q, where 0 · log 0 is 0."""
    return -torch.special.xlogy(P, Q).sum(dim=-1)


def entropy(P: Float[Tensor, "*n outcomes"]) -> Float[Tensor, "*n"]:
    """H(P) = −Σ P log P: what P surprises those who know it (section 4.1.3.1)."""
    return cross_entropy_of(P, P)


def kl_divergence(
    P: Float[Tensor, "*n outcomes"], Q: Float[Tensor, "*n outcomes"]
) -> Float[Tensor, "*n"]:
    """D(P ‖ Q) = H(P, Q) − H(P): what a wrong belief costs; 0 where Q is P, never less."""
    return cross_entropy_of(P, Q) - entropy(P)


def distribution(name: str, numbers: tuple[float, ...]) -> Float[Tensor, " outcomes"]:
    """Probabilities of the outcomes.

    Raises:
        UsageError: none, a negative one, or a sum other than 1.
    """
    P = torch.tensor(numbers, dtype=torch.float64)
    if not numbers or not bool((P >= 0).all()) or abs(float(P.sum()) - 1) > 1e-6:
        raise UsageError(
            f"{name} wants probabilities of at least 0 that sum to 1, got "
            f"{' '.join(f'{p:g}' for p in numbers) or 'none'}, which sum to "
            f"{float(P.sum()):g}: divide each by the sum"
        )
    return P / P.sum()
