"""From logits to the next token: temperature, the k likeliest, the likeliest share (9.5, 10.8)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError


def check_sampling(temperature: float, top_k: int, top_p: float) -> None:
    """Refuse settings that no distribution has."""
    if not 0 <= temperature < float("inf"):
        raise UsageError(f"temperature wants a number of at least 0, got {temperature!r}")
    if top_k < 0:
        raise UsageError(f"top_k wants a whole number of at least 0 (0: all), got {top_k!r}")
    if not 0 < top_p <= 1:
        raise UsageError(f"top_p wants a number above 0 to 1, got {top_p!r}")


def next_token_probabilities(
    logits: Float[Tensor, "*batch vocab"],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Float[Tensor, "*batch vocab"]:
    """softmax(o/T), cut down to the tokens that may be drawn; each row sums to one.

    Args:
        logits: o.
        temperature: T; below 1 the likely become likelier, 0 leaves only the likeliest.
        top_k: leave only so many of the likeliest; 0 leaves all.
        top_p: leave only the likeliest that together have at least this share.

    Raises:
        UsageError: a setting out of its range.
    """
    check_sampling(temperature, top_k, top_p)
    logits = logits.float()
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    # the largest becomes 0, so that a small temperature cannot overflow
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperature
    ordered, tokens = scaled.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    ahead = ordered.cumsum(dim=-1) - ordered  # what the likelier ones have together
    kept = ahead < top_p
    if top_k:
        kept[..., top_k:] = False
    kept[..., 0] = True
    ordered = ordered * kept
    return torch.zeros_like(ordered).scatter(-1, tokens, ordered / ordered.sum(-1, keepdim=True))


def sample_token(
    probabilities: Float[Tensor, "batch vocab"], chance: torch.Generator
) -> Int[Tensor, " batch"]:
    """One token for each row; drawn on the CPU, so that a seed means the same on every device."""
    return torch.multinomial(probabilities.cpu(), 1, generator=chance)[:, 0]
