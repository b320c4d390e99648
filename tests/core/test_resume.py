"""A run that was stopped at any moment goes on to the bits of one that was not."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import resumable
import torch
from tiny import At, equal_bits, quiet, tiny_net, weights

from freedive.core import saving
from freedive.core.callbacks import CosineSchedule, EarlyStopping, WeightAveraging
from freedive.core.checkpoint import load_checkpoint
from freedive.core.random import seed_everything

KINDS = ["tensors", "loader", "noisy"]


def last_bytes(folder):
    return (folder / "checkpoints" / "last.safetensors").read_bytes()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run of each kind that nothing disturbed."""
    done = {}

    def get(kind):
        if kind not in done:
            folder = tmp_path_factory.mktemp(kind)
            done[kind] = (folder, *resumable.fit(folder, kind=kind))
        return done[kind]

    return get


def assert_goes_on_as_if_alone(alone, folder, kind="tensors"):
    """Another model in another process's place: only the folder tells it where to go on."""
    torch.rand(17)
    model, history = resumable.fit(folder, resume=True, kind=kind)
    whole_folder, whole_model, whole_history = alone(kind)
    assert history.status == whole_history.status == "finished"
    assert history.epochs == whole_history.epochs
    assert history.curves == whole_history.curves
    assert equal_bits(weights(model), weights(whole_model))
    assert last_bytes(folder) == last_bytes(whole_folder)


def interrupt(trainer):
    trainer.stop("interrupted")


# 7 batches an epoch in groups of two: 2, 4, 6, 7, 9 …
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batches", [2, 6, 7, 9, 14, 20, 28])
def test_R34_resume_a_run_stopped_at_a_step_goes_on_exactly(alone, tmp_path, kind, batches):
    _, history = resumable.fit(tmp_path, At("on_step_end", batches, interrupt), kind=kind)
    assert history.status == "interrupted"
    assert len(history) == (batches - 1) // 7
    assert_goes_on_as_if_alone(alone, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batches", [0, 3, 4, 6, 15])
def test_a_run_stopped_in_its_validation_goes_on_exactly(alone, tmp_path, kind, batches):
    """Four validation batches an epoch: at its first, last and middle ones."""
    _, history = resumable.fit(tmp_path, in_validation=batches, kind=kind)
    assert history.status == "interrupted"
    assert_goes_on_as_if_alone(alone, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("hook", "batches"),
    [
        ("on_epoch_start", 0),
        ("on_epoch_start", 7),
        ("on_validation_start", 7),
        ("on_epoch_end", 14),
        ("on_epoch_end", 28),
    ],
)
def test_a_run_stopped_between_epochs_goes_on_exactly(alone, tmp_path, kind, hook, batches):
    resumable.fit(tmp_path, At(hook, batches, interrupt), kind=kind)
    assert_goes_on_as_if_alone(alone, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stopped_again_and_again_goes_on_exactly(alone, tmp_path, kind):
    for batches in (2, 4, 7, 9, 21):
        resumable.fit(tmp_path, At("on_step_end", batches, interrupt), resume=True, kind=kind)
    assert_goes_on_as_if_alone(alone, tmp_path, kind)


def test_a_finished_run_has_nothing_left_to_do(alone, tmp_path):
    resumable.fit(tmp_path)
    before = last_bytes(tmp_path)
    assert_goes_on_as_if_alone(alone, tmp_path)
    assert last_bytes(tmp_path) == before


def test_resuming_without_a_checkpoint_begins_a_run(alone, tmp_path):
    assert_goes_on_as_if_alone(alone, tmp_path)


def test_the_metrics_file_of_a_resumed_run_has_each_epoch_once(tmp_path):
    resumable.fit(tmp_path, At("on_step_end", 16, interrupt))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train_lo')  # killed while writing
    _, history = resumable.fit(tmp_path, resume=True)
    rows = saving.read_metrics(tmp_path / "metrics.jsonl")
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in rows] == history.epochs


def test_a_run_from_the_middle_of_an_epoch_saved_by_the_clock_goes_on_exactly(
    alone, tmp_path, monkeypatch
):
    """Killed some steps after a checkpoint within an epoch: those steps are made anew."""
    from freedive.core import trainer as trainers

    class Vanished(BaseException):
        pass

    def vanish(trainer):
        raise Vanished

    monkeypatch.setattr(trainers, "READ_EVERY", 0.0)
    monkeypatch.setattr(saving.Checkpointing, "on_read", saving.Checkpointing.write)
    with pytest.raises(Vanished):
        resumable.fit(tmp_path, At("on_update_start", 13, vanish))
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")
    assert (state["counters"]["epoch"], state["counters"]["position"]) == (1, 4)
    monkeypatch.undo()
    assert_goes_on_as_if_alone(alone, tmp_path)


def test_a_run_without_a_seed_goes_on_in_the_order_that_it_had(tmp_path, tiny_data):
    def part(folder, global_seed, **arguments):
        model = tiny_net(dropout=0.3)
        seed_everything(global_seed)
        resume = arguments.pop("resume", False)
        trainer = quiet(max_epochs=3, seed=None, run=tmp_path / folder, **arguments)
        trainer.fit(model, tiny_data, resume=resume)
        return weights(model)

    stop = At("on_step_end", -1, interrupt)
    whole = part("whole", 1, callbacks=[stop])
    part("parts", 1, callbacks=[At("on_step_end", 9, interrupt)])
    assert equal_bits(part("parts", 2, callbacks=[stop], resume=True), whole)


@pytest.mark.parametrize("new", [EarlyStopping, WeightAveraging, lambda: CosineSchedule(2)])
def test_a_callback_that_is_new_in_the_resumed_run_is_welcome(tmp_path, tiny_data, new):
    quiet(max_epochs=1, run=tmp_path).fit(tiny_net(), tiny_data)
    trainer = quiet(max_epochs=2, run=tmp_path, callbacks=[new()])
    assert len(trainer.fit(tiny_net(), tiny_data, resume=True)) == 2


def test_two_callbacks_of_one_kind_keep_their_own_states(tmp_path, tiny_data):
    def pair():
        return [EarlyStopping("train_loss", patience=9), EarlyStopping("val_acc", patience=9)]

    quiet(max_epochs=2, run=tmp_path, callbacks=pair()).fit(tiny_net(), tiny_data)
    resumed = pair()
    history = quiet(max_epochs=3, run=tmp_path, callbacks=resumed).fit(
        tiny_net(), tiny_data, resume=True
    )
    assert resumed[0].best == min(history["train_loss"])
    assert resumed[1].best == max(history["val_acc"])


def test_a_checkpointing_of_ones_own_saves_what_was_trained_not_what_was_restored(
    tmp_path, tiny_data
):
    """`EarlyStopping` gives the model its best weights back; a run goes on with its last."""
    own = saving.Checkpointing(tmp_path / "own")
    callbacks = [own, EarlyStopping("train_loss", patience=1, min_delta=100.0)]
    quiet(max_epochs=3, run=tmp_path / "run", callbacks=callbacks).fit(tiny_net(), tiny_data)
    mine = load_checkpoint(tmp_path / "own" / "last.safetensors")
    theirs = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")
    assert equal_bits(mine["model"], theirs["model"])


EPOCHS = 250


def run_until(folder: Path, seconds: float | None) -> int:
    """Start or go on with a run in a process of its own, and kill it after some seconds of it."""
    script = Path(resumable.__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(script.parent)])}
    began = folder / "metrics.jsonl"
    before = began.stat().st_mtime_ns if began.exists() else None
    process = subprocess.Popen([sys.executable, script, folder, str(EPOCHS)], env=environment)
    if seconds is not None:
        while process.poll() is None and (not began.exists() or began.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
    return process.wait(timeout=120)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process the Unix way")
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    resumable.fit(whole, max_epochs=EPOCHS)
    chance, epochs = random.Random(8), []
    for _ in range(2):
        assert run_until(killed, chance.uniform(0.02, 0.15)) == -9
        path = killed / "checkpoints" / "last.safetensors"
        epochs.append(load_checkpoint(path)["counters"]["epoch"] if path.exists() else 0)
    assert epochs == sorted(epochs)
    assert 0 < epochs[-1] < EPOCHS
    assert run_until(killed, None) == 0
    assert last_bytes(killed) == last_bytes(whole)
