"""Joint probabilities of a few symbols in a row, and what each factorisation keeps (section 9.1.2).

A joint distribution P(x₁, …, x_T) over m symbols is a tensor with T axes of size m.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError

Joint = Float[Tensor, "*symbols"]
Factor = Float[Tensor, "..."]  # of size 1 along the symbols that it does not depend on


def random_joint(num_symbols: int, length: int, chance: torch.Generator) -> Joint:
    """Any distribution: all sequences get a share of 1, drawn independently of each other."""
    shares = torch.empty(num_symbols**length, dtype=torch.float64).exponential_(generator=chance)
    return (shares / shares.sum()).reshape([num_symbols] * length)


def random_chain(
    num_symbols: int, length: int, order: int, chance: torch.Generator, sharpness: float = 2.0
) -> Joint:
    """The distribution of a Markov chain in which a symbol depends on the ``order`` before it.

    Args:
        num_symbols: m.
        length: T.
        order: τ; with 0, all symbols are independent.
        chance: draws the transitions.
        sharpness: spread of their log probabilities.
    """
    logits = torch.randn([num_symbols] * (order + 1), generator=chance, dtype=torch.float64)
    transition = torch.softmax(sharpness * logits, dim=-1)
    joint = torch.ones((), dtype=torch.float64)
    for t in range(length):
        # the first symbols have a shorter past: averaged over what might have stood before
        known = transition.mean(dim=tuple(range(order - t))) if t < order else transition
        joint = joint[..., None] * known
    return joint


def marginal(joint: Joint, first: int, last: int) -> Factor:
    """P(x_first, …, x_last), numbered from 0; the other symbols are summed over."""
    others = [axis for axis in range(joint.dim()) if not first <= axis <= last]
    return joint.sum(dim=others, keepdim=True) if others else joint


def ratio(numerator: Factor, denominator: Factor) -> Factor:
    """A conditional probability; 0 where the condition never holds."""
    return torch.where(denominator > 0, numerator / denominator, torch.zeros_like(denominator))


def conditional(joint: Joint, t: int, order: int) -> Factor:
    """P(x_t | the ``order`` symbols before it)."""
    first = max(t - order, 0)
    known = marginal(joint, first, t)
    return ratio(known, known.sum(dim=t, keepdim=True))


def markov_approximation(joint: Joint, order: int) -> Joint:
    """∏ P(x_t | x_{t−τ}, …, x_{t−1}): exact where τ reaches back to the first symbol.

    Raises:
        UsageError: the order is negative.
    """
    if order < 0:
        raise UsageError(f"the order of a Markov model wants to be at least 0, got {order}")
    product = torch.ones_like(joint)
    for t in range(joint.dim()):
        product = product * conditional(joint, t, order)
    return product


def reverse_factors(joint: Joint) -> list[Factor]:
    """P(x_t | x_{t+1}, …, x_T) for t from 1 to T: their product is the joint as well."""
    axes = list(range(joint.dim()))[::-1]
    turned = joint.permute(axes)
    return [conditional(turned, t, t).permute(axes) for t in axes]


def forward_factors(joint: Joint) -> list[Factor]:
    """P(x_t | x₁, …, x_{t−1}) for t from 1 to T."""
    return [conditional(joint, t, t) for t in range(joint.dim())]


def entropy(joint: Joint, factor: Factor) -> float:
    """−E log of a factor, in nats: what its symbol still tells once the condition is known."""
    return float(-torch.xlogy(joint, factor.expand_as(joint)).sum())


def divergence(P: Joint, Q: Joint) -> float:
    """KL(P ‖ Q) = Σ P log(P/Q), in nats: 0 only where both are equal."""
    return float((torch.xlogy(P, P) - torch.xlogy(P, Q)).sum())


def two_step(transition: Float[Tensor, "now next"]) -> Float[Tensor, "now after"]:
    """P(x_{t+1} | x_{t−1}) = Σ P(x_{t+1} | x_t) P(x_t | x_{t−1}), summed over what lies between."""
    between = transition[:, :, None] * transition[None, :, :]
    return between.sum(dim=1)


def visits(
    first: Float[Tensor, " m"], transition: Float[Tensor, "m m"], steps: int
) -> Float[Tensor, "times m"]:
    """P(x_t) for t = 1 … steps: dynamic programming, one product of a row and T a step."""
    rows = [first]
    for _ in range(steps - 1):
        rows.append(rows[-1] @ transition)
    return torch.stack(rows)
