"""A loader as the trainer sees it: resident where it can be, enterable at any batch."""

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any

import torch

from freedive.core.errors import DataError
from freedive.core.loader import TensorLoader
from freedive.core.random import random_state, set_random_state


class Feed:
    """The batches of each epoch.

    A `TensorLoader` moves to the device as a whole and knows how to begin at a batch. Any other
    iterable is asked for its batches from the first and the unwanted ones are dropped; since its
    order may come from the global generators, these are put back to where the epoch began.
    """

    def __init__(
        self, loader: Iterable[Any] | None, device: torch.device, seed: int, limit: int | None
    ):
        self.loader, self.limit, self.seed = loader, limit, seed
        self.epoch_began: dict[str, Any] = {}  # the random state then, where it decides the order
        if isinstance(loader, TensorLoader):
            loader.to(device)

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch; None where the loader cannot tell."""
        if self.loader is None:
            return 0
        try:
            length = len(self.loader) if isinstance(self.loader, Sized) else None
        except TypeError:  # a torch DataLoader over a stream has a length only by name
            length = None
        return self.limit if length is None else min(length, self.limit or length)

    def refuse_empty(self, what: str) -> None:
        """Raise `DataError` where there is nothing to iterate over."""
        if self.num_batches == 0:
            raise DataError(f"the {what} data hold no examples: at least one is wanted")

    def refuse_spent(self, epoch: int, position: int) -> None:
        """Raise `DataError` where an epoch has ended without a batch."""
        if position == 0:
            raise DataError(
                f"the training data gave no batch in epoch {epoch + 1}: "
                "a loader wants to be iterable anew in each epoch"
            )

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of one epoch from number ``start`` on."""
        if self.loader is None:
            return iter(())
        if isinstance(self.loader, TensorLoader):
            self.loader.seed, self.loader.epoch, self.loader.start = self.seed, epoch, start
            return islice(self.loader, None if self.limit is None else max(0, self.limit - start))
        return self._skipping(start)

    def _skipping(self, start: int) -> Iterator[Any]:
        assert self.loader is not None
        now = random_state()
        if start and self.epoch_began:
            set_random_state(self.epoch_began)
        else:
            self.epoch_began = now
        batches = islice(self.loader, self.limit)
        for _ in islice(batches, start):
            pass
        if start:  # what comes next is drawn from where the run stands, not where it began
            set_random_state(now)
        yield from batches
