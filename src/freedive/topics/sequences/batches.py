"""Cutting a long text into batches of windows with their targets (section 9.3.3).

A target is its input one token later, so every window takes one token more than it reads.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from freedive.core.errors import UsageError

Batch = tuple[Int[Tensor, "batch steps"], Int[Tensor, "batch steps"]]


def num_batches(num_tokens: int, batch_size: int, num_steps: int) -> int:
    """How many whole batches a text has: each takes batch × steps inputs, and one token is last.

    Raises:
        UsageError: not even one.
    """
    if min(batch_size, num_steps) < 1:
        raise UsageError(
            f"batches want at least 1 window of 1 step, got {batch_size} of {num_steps}"
        )
    whole = (num_tokens - 1) // (batch_size * num_steps)
    if whole < 1:
        raise UsageError(
            f"a batch of {batch_size} windows of {num_steps} steps wants a text of "
            f"{batch_size * num_steps + 1} tokens, got {num_tokens}: pass a longer text or smaller "
            "batches"
        )
    return whole


def draw_offset(num_tokens: int, batch_size: int, num_steps: int, chance: torch.Generator) -> int:
    """How many tokens an epoch leaves out at the start, so that windows begin elsewhere each time.

    All are alike, from 0 to what can be spared without losing a batch: (T − 1) mod (batch × steps).
    """
    used = num_batches(num_tokens, batch_size, num_steps) * batch_size * num_steps
    return int(torch.randint(num_tokens - used, (), generator=chance))


def random_batches(
    corpus: Int[Tensor, " tokens"], batch_size: int, num_steps: int, chance: torch.Generator
) -> Iterator[Batch]:
    """Windows that do not overlap, in random order: neighbours in a batch are strangers."""
    batches = num_batches(len(corpus), batch_size, num_steps)
    rest = corpus[draw_offset(len(corpus), batch_size, num_steps, chance) :]
    windows = rest.unfold(0, num_steps + 1, num_steps)
    order = torch.randperm(len(windows), generator=chance)[: batches * batch_size]
    for rows in order.split(batch_size):
        yield windows[rows, :-1], windows[rows, 1:]


def sequential_batches(
    corpus: Int[Tensor, " tokens"], batch_size: int, num_steps: int, chance: torch.Generator
) -> Iterator[Batch]:
    """Row i of each batch goes on where row i of the last one ended, and so may a hidden state."""
    length = num_batches(len(corpus), batch_size, num_steps) * num_steps
    offset = draw_offset(len(corpus), batch_size, num_steps, chance)
    end = offset + batch_size * length
    inputs = corpus[offset:end].view(batch_size, length)
    targets = corpus[offset + 1 : end + 1].view(batch_size, length)
    yield from zip(inputs.split(num_steps, dim=1), targets.split(num_steps, dim=1), strict=True)


def overlapping_batches(
    corpus: Int[Tensor, " tokens"], batch_size: int, num_steps: int, chance: torch.Generator
) -> Iterator[Batch]:
    """One window from each of the T − steps places, in random order; the last batch is shorter."""
    num_batches(len(corpus), 1, num_steps)  # refuses a text that is too short
    windows = corpus.unfold(0, num_steps + 1, 1)
    for rows in torch.randperm(len(windows), generator=chance).split(batch_size):
        yield windows[rows, :-1], windows[rows, 1:]
