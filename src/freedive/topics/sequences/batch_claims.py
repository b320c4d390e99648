"""What the book says about cutting a text into batches, as checks (section 9.3.3)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.sequences.batches import (
    overlapping_batches,
    random_batches,
    sequential_batches,
)

Evidence = Iterator[tuple[Any, ...]]
TEXT = torch.arange(35)  # each token is its own place


@claim("9.3.3", "the targets are the inputs shifted by one token", ("000 C59", "002b C42"))
def shifted() -> Evidence:
    """Every window of every partition; the book's five tokens."""
    for cut in (random_batches, sequential_batches, overlapping_batches):
        for X, Y in cut(TEXT, 2, 5, generator(0)):
            yield Y, X + 1
    ((X, Y),) = sequential_batches(torch.arange(1, 7), 1, 5, generator(0))
    yield X, [[1, 2, 3, 4, 5]]
    yield Y, [[2, 3, 4, 5, 6]]


@claim("9.3.3", "in sequence, each batch goes on where the one before it ended", "000 C59")
def adjacent() -> Evidence:
    """Row by row; at random they do not."""
    for epoch in range(5):
        batches = [X for X, _ in sequential_batches(TEXT, 2, 5, generator(0, epoch))]
        for before, then in pairwise(batches):
            yield then[:, 0], before[:, -1] + 1
    apart = [X for epoch in range(20) for X, _ in random_batches(TEXT, 2, 5, generator(1, epoch))]
    follows = [bool((b[:, 0] == a[:, -1] + 1).all()) for a, b in pairwise(apart)]
    yield sum(follows) / len(follows), (0.0, 0.2)


@claim("9.3.3", "there are T − n overlapping windows of n steps", "002b C42")
def overlapping() -> Evidence:
    """In an epoch each comes once."""
    for steps in (1, 5, 34):
        X = torch.cat([X for X, _ in overlapping_batches(TEXT, 4, steps, generator(0))])
        yield X[:, 0].sort().values, torch.arange(35 - steps)


@erratum(
    "9.3.3",
    "35 tokens are three batches of two windows of five in every epoch, sequential or random",
    printed="offsets from 0 to 5 for sequential batches, of which 5 loses a batch; from 0 to 4 for "
    "random ones; my_seq is never made, and the loader calls another library's functions",
    source=("000 C60", "000 E16", "000 E17", "000 E18"),
)
def no_batch_lost() -> Evidence:
    """A hundred epochs; then the printed number of batches for each offset."""
    for cut in (random_batches, sequential_batches):
        epochs = [list(cut(TEXT, 2, 5, generator(0, epoch))) for epoch in range(100)]
        yield {len(batches) for batches in epochs} == {3}, True
        starts = {int(min(X.min() for X, _ in batches)) for batches in epochs}
        yield starts == {0, 1, 2, 3, 4}, True
    printed = [(len(TEXT) - offset - 1) // 2 // 5 for offset in range(6)]
    yield printed, [3, 3, 3, 3, 3, 2]
