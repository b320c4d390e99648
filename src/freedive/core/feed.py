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
        self.loader, self.limit = loader, limit
        self.epoch_began: dict[str, Any] = {}  # the random state then, where it decides the order
        if isinstance(loader, TensorLoader):
            loader.to(device).seed = seed

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch; None where the loader cannot tell."""
        if self.loader is None:
            return 0
        if not isinstance(self.loader, Sized):
            return self.limit
        return min(len(self.loader), self.limit or len(self.loader))

    def refuse_empty(self, what: str) -> None:
        """Raise `DataError` where there is nothing to iterate over."""
        if self.num_batches == 0:
            raise DataError(f"the {what} data hold no examples: at least one is wanted")

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of one epoch from number ``start`` on."""
        if self.loader is None:
            return iter(())
        if isinstance(self.loader, TensorLoader):
            self.loader.epoch, self.loader.start = epoch, start
            return islice(self.loader, None if self.limit is None else max(0, self.limit - start))
        return self._skipping(start)

    def _skipping(self, start: int) -> Iterator[Any]:
        assert self.loader is not None
        if start and self.epoch_began:
            now = random_state()
            set_random_state(self.epoch_began)
            batches = islice(self.loader, start, self.limit)
            first = next(batches, None)  # draws what the skipped batches drew
            set_random_state(now)
            if first is not None:
                yield first
            yield from batches
            return
        self.epoch_began = random_state()
        yield from islice(self.loader, start, self.limit)
