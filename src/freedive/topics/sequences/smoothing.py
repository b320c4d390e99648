r"""From counts to probabilities: what is left for tokens that were not seen (section 9.3.1.3).

Every rule gives a $\hat P(x' \mid x)$ that sums to one over the tokens x' after each context x.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Probabilities = Float[Tensor, " rows"]
Smoothing = Literal["none", "laplace", "interpolated", "discounted", "back-off"]


class Seen(NamedTuple):
    """What was counted of the runs that are asked for, one a row.

    Attributes:
        pair: n(x, x'), how often the token x' follows the context x.
        context: n(x), how often anything does.
        distinct: how many different tokens do.
        lower: P̂(x') after the context without its first token.
        lower_seen: the sum of that over the tokens that were seen after x.
        vocab_size: m, how many tokens there are.
    """

    pair: Float[Tensor, " rows"]
    context: Float[Tensor, " rows"]
    distinct: Float[Tensor, " rows"]
    lower: Probabilities
    lower_seen: Probabilities
    vocab_size: int


def unsmoothed(seen: Seen, strength: float) -> Probabilities:
    """n(x, x') / n(x): zero for what was not seen, and where x was not seen there is no estimate.

    There all are zero: the one case in which a rule does not sum to one.
    """
    return share(seen.pair, seen.context, 0.0)


def laplace(seen: Seen, strength: float) -> Probabilities:
    """(n(x, x') + ε/m) / (n(x) + ε): ε further tokens, shared out equally."""
    m = seen.vocab_size
    return share(seen.pair + strength / m, seen.context + strength, 1 / m)


def interpolated(seen: Seen, strength: float) -> Probabilities:
    """(n(x, x') + ε P̂(x')) / (n(x) + ε): ε further tokens, shared out as after shorter contexts.

    The book's bigram rule lacks the factor P̂(x'), and so does not sum to one.
    """
    return share(seen.pair + strength * seen.lower, seen.context + strength, seen.lower)


def discounted(seen: Seen, strength: float) -> Probabilities:
    """(max(n(x, x') − d, 0) + d k P̂(x')) / n(x): d of each of the k seen tokens is shared out."""
    kept = (seen.pair - strength).clamp(min=0)
    return share(kept + strength * seen.distinct * seen.lower, seen.context, seen.lower)


def backed_off(seen: Seen, strength: float) -> Probabilities:
    """(n(x, x') − d) / n(x) for what was seen; α P̂(x') for the rest, α so that all sum to one.

    After a context that every token has followed there is no rest, and nothing is taken.
    """
    d = strength * (seen.distinct < seen.vocab_size).to(seen.lower)
    left_over = share(d * seen.distinct, seen.context, 1.0)
    # what the shorter context gives to unseen tokens; rounding must not make it 0
    unseen = (1 - seen.lower_seen).clamp(min=torch.finfo(seen.lower.dtype).tiny)
    known = share(seen.pair - d, seen.context, 0.0)
    return torch.where(seen.pair > 0, known, left_over / unseen * seen.lower)


def share(part: Tensor, whole: Tensor, otherwise: float | Tensor) -> Probabilities:
    """part / whole, and something else where the whole is zero."""
    other = torch.as_tensor(otherwise, dtype=torch.float64)
    return torch.where(whole > 0, part / whole, other)


RULES: dict[Smoothing, Callable[[Seen, float], Probabilities]] = {
    "none": unsmoothed,
    "laplace": laplace,
    "interpolated": interpolated,
    "discounted": discounted,
    "back-off": backed_off,
}
