"""Clocks, and sums over several numbers."""

import time
from typing import Any

import numpy as np


class Timer:
    """Several times, in seconds; starts at once (section 12.5.4; 3.1.2 of the second edition)."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin anew."""
        self.tik = time.perf_counter()

    def stop(self) -> float:
        """Keep the time since the start, and give it."""
        self.times.append(time.perf_counter() - self.tik)
        return self.times[-1]

    def avg(self) -> float:
        """The mean of the times; 0 where there are none."""
        return sum(self.times) / max(1, len(self.times))

    def sum(self) -> float:
        """The sum of the times."""
        return sum(self.times)

    def cumsum(self) -> list[float]:
        """The sums up to each time."""
        return np.cumsum(self.times).tolist()


class Benchmark:
    """Prints how long a ``with`` block took (section 13.2)."""

    def __init__(self, description: str = "Done"):
        self.description = description

    def __enter__(self) -> "Benchmark":
        self.timer = Timer()
        return self

    def __exit__(self, *args: Any) -> None:
        print(f"{self.description}: {self.timer.stop():.4f} sec")


class Accumulator:
    """n sums side by side (section 3.6.5 of the second edition)."""

    def __init__(self, n: int):
        self.data = [0.0] * n

    def add(self, *args: Any) -> None:
        """Add a number to each."""
        self.data = [a + float(b) for a, b in zip(self.data, args, strict=True)]

    def reset(self) -> None:
        """Begin anew."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, idx: int) -> float:
        return self.data[idx]
