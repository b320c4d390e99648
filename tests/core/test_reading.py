"""Numbers come to the host seldom, and what is drawn does not depend on when."""

import pytest
import torch
from tiny import (
    Record,
    quiet,
    tiny_net,
)
from torch.utils._python_dispatch import TorchDispatchMode

from freedive.core import trainer as trainers
from freedive.core.callbacks import CosineSchedule


class Syncs(TorchDispatchMode):
    """Counts how often a number is asked for on the host."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(keywords or {}))


@pytest.fixture
def count_syncs(monkeypatch):
    """Runs a function and says how many numbers came to the host, by any way."""
    asked = {"python": 0}
    for name in ("item", "tolist", "numpy", "cpu"):
        original = getattr(torch.Tensor, name)

        def counted(self, *arguments, original=original, **keywords):
            asked["python"] += 1
            return original(self, *arguments, **keywords)

        monkeypatch.setattr(torch.Tensor, name, counted)

    def count(function):
        asked["python"] = 0
        with Syncs() as syncs:
            function()
        return asked["python"] + syncs.count

    return count


def test_R08_the_host_does_not_wait_for_each_batch(make_data, monkeypatch, count_syncs):
    monkeypatch.setattr(trainers, "READ_EVERY", 1e9)  # no read but the first and the last

    def syncs(num_batches):
        data = make_data(num_train=4 * num_batches, num_val=num_batches, batch_size=4)
        trainer = quiet(max_epochs=1, gradient_clip_val=1.0, callbacks=[CosineSchedule(1)])
        return count_syncs(lambda: trainer.fit(tiny_net(), data))

    few = syncs(10)
    assert few > 0  # the counter counts
    assert syncs(200) == few


def test_R08_numbers_are_read_a_few_times_a_second(make_data, monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock, reads = Clock(), []
    monkeypatch.setattr(trainers, "time", clock)

    class Tick(Record):
        def on_read(self, trainer):
            reads.append(clock.now)

    tick = Tick(lambda trainer: setattr(clock, "now", clock.now + 0.001))
    quiet(max_epochs=1, callbacks=[tick]).fit(tiny_net(), make_data(num_train=2000, batch_size=1))
    assert len(tick.seen) == 2000
    assert 2 <= len(reads) <= 2 + 2.0 / trainers.READ_EVERY
