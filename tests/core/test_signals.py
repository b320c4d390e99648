"""Ctrl-C and kill end a run in order, with everything saved."""

import os
import signal
import threading

import pytest
from tiny import (
    At,
    epoch_batches,
    equal_bits,
    plain_loop,
    quiet,
    tiny_net,
    weights,
)

from freedive.core.checkpoint import load_checkpoint


def interrupted_by(number, tmp_path, data, batches=3):
    """A run in which a process signals itself after some batches, and the handlers afterwards."""
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    press = At("on_step_end", batches, lambda trainer: os.kill(os.getpid(), number))
    trainer = quiet(max_epochs=3, run=tmp_path, callbacks=[press])
    history = trainer.fit(tiny_net(), data)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    return trainer, history


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_kill_ends_the_run_after_the_step_with_all_saved(tmp_path, tiny_data, number):
    trainer, history = interrupted_by(number, tmp_path, tiny_data)
    assert history.status == "interrupted"
    assert trainer.train_batch_idx == 3
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")
    assert equal_bits(state["model"], weights(trainer.model))
    assert state["counters"]["position"] == 3


def test_ctrl_c_twice_ends_at_once_and_the_old_checkpoint_stays(tmp_path, tiny_data):
    quiet(max_epochs=1, run=tmp_path).fit(tiny_net(), tiny_data)
    path = tmp_path / "checkpoints" / "last.safetensors"
    before, handlers = path.read_bytes(), signal.getsignal(signal.SIGINT)

    def press_twice(trainer):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    model = tiny_net()
    trainer = quiet(max_epochs=3, run=tmp_path, callbacks=[At("on_step_end", 9, press_twice)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(model, tiny_data, resume=True)
    assert path.read_bytes() == before
    assert load_checkpoint(path)["counters"]["epoch"] == 1
    assert signal.getsignal(signal.SIGINT) == handlers
    assert model.trainer is None


def test_fit_works_in_another_thread(tiny_data):
    ours, plain, statuses = tiny_net(), tiny_net(), []
    trainer = quiet(max_epochs=1)
    thread = threading.Thread(target=lambda: statuses.append(trainer.fit(ours, tiny_data).status))
    thread.start()
    thread.join()
    plain_loop(plain, epoch_batches(tiny_data, 0))
    assert statuses == ["finished"]
    assert equal_bits(weights(ours), weights(plain))
