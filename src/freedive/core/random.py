"""Every source of chance, seeded and kept in one place."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def derived_seed(seed: int, *stream: int) -> int:
    """A seed of its own for each stream, such as an epoch: neighbours give unrelated numbers."""
    return int(np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)[0] >> 1)


def generator(seed: int, *stream: int) -> torch.Generator:
    """A CPU generator for one stream of a seed."""
    return torch.Generator().manual_seed(derived_seed(seed, *stream))


def random_state() -> dict[str, Any]:
    """The state of every global generator, as tensors and plain values."""
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    kind, keys, *rest = cast(tuple[str, Any, Any], np.random.get_state(legacy=True))
    state["numpy"] = [kind, torch.from_numpy(keys.astype(np.int64)), *rest]
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put every global generator back to where `random_state` saw it."""
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Whatever is drawn inside leaves no trace outside."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
