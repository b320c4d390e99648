"""A loss that is no finite number ends the run, with the step, the culprit and a way out."""

import math

import pytest
import torch
from tiny import At, TinyNet, quiet, tiny_net
from torch import nn

from freedive.core import trainer as trainers
from freedive.core.board import Throttle
from freedive.core.checkpoint import load_checkpoint
from freedive.core.divergence import first_not_finite, refuse_divergence, refuse_infinite
from freedive.core.errors import DivergenceError


class Breaks(TinyNet):
    """Its loss becomes a given value at one training batch."""

    def __init__(self, batch, value):
        super().__init__()
        self.at, self.value = batch, value

    def training_step(self, batch):
        """The loss, or what it becomes."""
        loss = self.loss(self(batch[0]), batch[1])
        if self.trainer.train_batch_idx + 1 == self.at:
            loss = loss * self.value
        self.plot("loss", loss, train=True)
        return loss


def message_of(model, data, **arguments):
    with pytest.raises(DivergenceError) as caught:
        quiet(**{"max_epochs": 4, **arguments}).fit(model, data)
    assert "\n" not in str(caught.value)
    assert model.trainer is None
    return str(caught.value)


@pytest.mark.parametrize("read_every", [0.0, 1e9])
@pytest.mark.parametrize(("batch", "step"), [(1, 1), (4, 4), (7, 7), (8, 1), (12, 5)])
def test_the_step_is_named_exactly_whenever_it_was_noticed(
    tiny_data, monkeypatch, read_every, batch, step
):
    monkeypatch.setattr(trainers, "READ_EVERY", read_every)
    message = message_of(Breaks(batch, math.nan), tiny_data)
    assert f"the loss became nan at step {step} of the epoch" in message


def test_an_infinite_loss_is_refused_too(tiny_data):
    assert "became inf at step 3 " in message_of(Breaks(3, math.inf), tiny_data)


def test_the_parameter_is_named(tiny_data):
    """The gradient of a NaN reaches every parameter: the first is told."""
    assert "net.0.weight" in message_of(Breaks(3, math.nan), tiny_data)


def test_a_rate_that_is_too_large_is_named_with_its_way_out(tiny_data):
    model = tiny_net(optimizer=lambda ps: torch.optim.SGD(ps, lr=1e38))
    message = message_of(model, tiny_data)
    assert "learning rate, 1e+38," in message
    assert "divide it by 10" in message


@pytest.mark.parametrize("read_every", [0.0, 1e9])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("example", [0, 17, 49])
def test_data_that_are_not_finite_are_named(tiny_data, monkeypatch, read_every, bad, example):
    monkeypatch.setattr(trainers, "READ_EVERY", read_every)
    tiny_data.X[example, 2] = bad
    assert "the data hold values that are not finite" in message_of(tiny_net(), tiny_data)


def test_a_loss_that_leaves_its_domain_is_not_blamed_on_the_rate():
    """Where all parameters are finite and the losses were quiet."""
    losses = [1.0, 0.9, 0.8, math.nan]
    with pytest.raises(DivergenceError, match=r"step 4 .*logarithm"):
        refuse_divergence(losses, 0, nn.Linear(1, 1), [torch.zeros(1)], 0.1)
    with pytest.raises(DivergenceError, match=r"step 3 .*learning rate, 0.1,"):
        refuse_divergence([1.0, 50.0, math.inf], 0, nn.Linear(1, 1), [torch.zeros(1)], 0.1)


def test_finite_losses_pass_and_old_ones_are_not_looked_at_again():
    refuse_divergence([], 0, nn.Linear(1, 1), [], None)
    refuse_divergence([1.0, 2.0], 0, nn.Linear(1, 1), [], None)
    refuse_divergence([math.nan, 2.0], 1, nn.Linear(1, 1), [], None)


def test_the_first_parameter_that_is_not_finite_is_found():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert first_not_finite(model) is None
    model[1].bias.data[0] = math.inf
    assert first_not_finite(model) == "1.bias"
    model[0].bias.data[1] = math.nan
    assert first_not_finite(model) == "0.bias"


@pytest.fixture
def saves_each_epoch(monkeypatch):
    """However long the last saving took."""
    monkeypatch.setattr(Throttle, "ready", lambda throttle: True)


@pytest.mark.usefixtures("saves_each_epoch")
@pytest.mark.parametrize("batch", [8, 10, 14])
def test_the_last_good_checkpoint_is_still_there(tmp_path, tiny_data, batch):
    message_of(Breaks(batch, math.nan), tiny_data, run=tmp_path)
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")
    assert state["counters"]["epoch"] == 1
    assert all(bool(t.isfinite().all()) for t in state["model"].values())


def test_a_run_that_was_stopped_while_diverging_does_not_save_its_ruins(
    tmp_path, tiny_data, monkeypatch
):
    """The loss breaks at batch 10, Ctrl-C comes at 12, before anybody has looked."""
    monkeypatch.setattr(trainers, "READ_EVERY", 1e9)
    stop = At("on_step_end", 12, lambda trainer: trainer.stop("interrupted"))
    message_of(Breaks(10, math.nan), tiny_data, run=tmp_path, callbacks=[stop])
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")
    assert all(bool(t.isfinite().all()) for t in state["model"].values())


@pytest.mark.usefixtures("saves_each_epoch")
def test_weights_ruined_by_the_last_step_of_an_epoch_are_not_saved(tmp_path, tiny_data):
    """All training losses of the epoch were finite; only the validation shows it."""

    def ruin(trainer):
        trainer.model.net[0].weight.data.fill_(math.nan)

    ruined = At("on_step_end", 14, ruin)
    message = message_of(tiny_net(), tiny_data, run=tmp_path, callbacks=[ruined])
    assert "net.0.weight" in message
    state = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")
    assert state["counters"]["epoch"] == 1
    assert all(bool(t.isfinite().all()) for t in state["model"].values())


def test_the_history_says_that_the_run_diverged(tiny_data):
    trainer = quiet(max_epochs=2)
    with pytest.raises(DivergenceError):
        trainer.fit(Breaks(10, math.nan), tiny_data)
    assert trainer.history.status == "diverged"
    assert len(trainer.history) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_validation_loss_that_is_not_finite_is_no_success(value):
    refuse_infinite({"epoch": 3, "train_loss": 0.5, "val_loss": 1e30})
    with pytest.raises(DivergenceError, match=f"val_loss became {value}"):
        refuse_infinite({"epoch": 3, "train_loss": 0.5, "val_loss": value})
