"""What happens around the loop: stopping, schedules, clipping, averaging."""

import math
import os
import signal

import pytest
import torch
from tiny import At, Record, TinyNet, epoch_batches, equal_bits, quiet, tiny_net, weights
from torch import nn

from freedive.core.callbacks import (
    CosineSchedule,
    EarlyStopping,
    GradientClipping,
    LRSchedule,
    WeightAveraging,
)
from freedive.core.errors import UsageError
from freedive.core.history import History, improves


class Scripted(TinyNet):
    """Its validation loss is what it was told; it keeps its weights of each epoch."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.kept = losses, []

    def validation_step(self, batch):
        """The next loss of the script, once an epoch."""
        if len(self.kept) == self.trainer.epoch:
            self.kept.append(weights(self))
        self.plot("loss", self.losses[self.trainer.epoch], train=False)


def early(losses, data, epochs=8, others=(), run=None, **arguments):
    """A run of a scripted model under early stopping."""
    model = Scripted(losses)
    trainer = quiet(max_epochs=epochs, run=run, callbacks=[EarlyStopping(**arguments), *others])
    return model, trainer


def test_early_stopping_waits_for_its_patience_and_restores_the_best(tiny_data):
    model, trainer = early([3, 2, 1, 5, 4, 4, 0, 0], tiny_data, patience=3)
    history = trainer.fit(model, tiny_data)
    assert history.status == "stopped"
    assert len(history) == 6
    assert equal_bits(weights(model), model.kept[2])
    assert not equal_bits(model.kept[2], model.kept[5])


def test_early_stopping_restores_the_best_after_the_last_epoch(tiny_data):
    model, trainer = early([3, 1, 2, 1.5], tiny_data, epochs=4)
    assert trainer.fit(model, tiny_data).status == "finished"
    assert equal_bits(weights(model), model.kept[1])


def test_early_stopping_restores_the_best_after_ctrl_c(tiny_data):
    press = At("on_step_end", 24, lambda trainer: os.kill(os.getpid(), signal.SIGINT))
    model, trainer = early([3, 1, 2, 0], tiny_data, others=[press])
    assert trainer.fit(model, tiny_data).status == "interrupted"
    assert equal_bits(weights(model), model.kept[1])


def test_early_stopping_restores_the_best_after_an_error(tiny_data):
    def fail(trainer):
        raise ZeroDivisionError

    model, trainer = early([3, 1, 2, 0], tiny_data, others=[At("on_step_end", 24, fail)])
    with pytest.raises(ZeroDivisionError):
        trainer.fit(model, tiny_data)
    assert equal_bits(weights(model), model.kept[1])


def test_early_stopping_leaves_a_model_without_a_finished_epoch_alone(tiny_data):
    model, trainer = early([1], tiny_data, others=[At("on_step_end", 2, lambda t: t.stop())])
    trainer.fit(model, tiny_data)
    assert not equal_bits(weights(model), weights(Scripted([])))


@pytest.mark.parametrize(
    ("losses", "arguments", "epochs"),
    [
        ([1, 2, 0.5], {"patience": 1}, 2),
        ([1, 1, 1, 1], {"patience": 2}, 3),  # equal is no improvement
        ([1, 0.95, 0.9, 0.85], {"patience": 2, "min_delta": 0.2}, 3),
    ],
)
def test_what_counts_as_improvement(tiny_data, losses, arguments, epochs):
    model, trainer = early(losses, tiny_data, epochs=len(losses), **arguments)
    assert len(trainer.fit(model, tiny_data)) == epochs


def test_a_metric_that_does_not_exist_is_refused(tiny_data):
    model, trainer = early([1, 1, 1, 1], tiny_data, monitor="val_f1")
    with pytest.raises(UsageError, match=r"val_f1.*val_loss"):
        trainer.fit(model, tiny_data)


def test_a_run_that_early_stopping_ended_is_not_resumed_beyond_its_end(tmp_path, tiny_data):
    model, trainer = early([1, 2, 3, 4], tiny_data, patience=1, run=tmp_path)
    trainer.fit(model, tiny_data)
    again, trainer = early([1, 2, 3, 4], tiny_data, patience=1, run=tmp_path)
    history = trainer.fit(again, tiny_data, resume=True)
    assert (history.status, len(history)) == ("stopped", 2)
    assert equal_bits(weights(again), weights(model))


def test_early_stopping_forgets_the_last_run(tiny_data):
    trainer = quiet(max_epochs=2, callbacks=[EarlyStopping()])
    trainer.fit(Scripted([0, 0]), tiny_data)
    model = Scripted([5, 4])
    trainer.fit(model, tiny_data)
    assert equal_bits(weights(model), model.kept[1])


@pytest.mark.parametrize(
    ("metric", "new", "old", "better"),
    [
        ("val_loss", 1.0, None, True),
        ("val_loss", 1.0, 2.0, True),
        ("val_loss", 2.0, 2.0, False),
        ("val_acc", 0.6, 0.5, True),
        ("val_bleu", 0.4, 0.5, False),
        ("val_loss", math.nan, None, False),
        ("val_loss", math.nan, 1.0, False),
        ("train_loss", -math.inf, 1.0, True),
    ],
)
def test_each_metric_has_its_direction(metric, new, old, better):
    assert improves(metric, new, old) is better


def test_the_best_row_of_a_history_is_the_first_of_equals():
    rows = [{"epoch": i + 1, "val_acc": acc} for i, acc in enumerate([0.1, 0.5, 0.5, 0.2])]
    history = History(rows)
    assert history.best()["epoch"] == 2
    assert history.best("val_loss") == History().best() == {}
    assert (History().last, History()["val_loss"], len(History())) == ({}, [], 0)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]


def slow_average(data, decay, epochs, lr=0.1):
    """The average, with one multiplication a number, in double precision."""
    plain = tiny_net()
    optim = torch.optim.SGD(plain.parameters(), lr=lr)
    average = {name: tensor.double() for name, tensor in weights(plain).items()}
    for epoch in range(epochs):
        for X, y in epoch_batches(data, epoch):
            optim.zero_grad()
            nn.functional.cross_entropy(plain(X), y).backward()
            optim.step()
            for name, tensor in weights(plain).items():
                average[name] = decay * average[name] + (1 - decay) * tensor.double()
    return average, weights(plain)


@pytest.mark.parametrize("decay", [0.0, 0.9, 1.0])
def test_weight_averaging_is_the_moving_average_of_a_slow_loop(tiny_data, decay):
    model = tiny_net()
    quiet(max_epochs=2, callbacks=[WeightAveraging(decay)]).fit(model, tiny_data)
    average, last = slow_average(tiny_data, decay, epochs=2)
    for name, tensor in weights(model).items():
        torch.testing.assert_close(tensor, average[name].float(), rtol=1e-5, atol=1e-6)
    if decay == 0:
        assert equal_bits(weights(model), last)
    if decay == 1:
        assert equal_bits(weights(model), weights(tiny_net()))


def test_the_average_is_what_is_validated_and_training_goes_on_with_the_raw(tiny_data):
    raw = []

    class Watch(TinyNet):
        judged = ()

        def validation_step(self, batch):
            self.judged = [*self.judged, weights(self)]
            super().validation_step(batch)

    torch.manual_seed(0)
    model = Watch()
    record = Record(lambda trainer: raw.append(weights(trainer.model)))
    quiet(max_epochs=2, callbacks=[WeightAveraging(0.9), record]).fit(model, tiny_data)
    average, last = slow_average(tiny_data, 0.9, epochs=2)
    for name, tensor in model.judged[-1].items():
        torch.testing.assert_close(tensor, average[name].float(), rtol=1e-5, atol=1e-6)
    assert equal_bits(raw[-1], last)


def test_an_average_copies_what_is_no_float(tiny_data):
    model = tiny_net()
    model.net.append(nn.BatchNorm1d(3))
    quiet(max_epochs=1, callbacks=[WeightAveraging(0.9)]).fit(model, tiny_data)
    assert model.net[4].num_batches_tracked.item() == 7


@pytest.mark.parametrize("turned", [False, True])
def test_early_stopping_keeps_the_best_average(tiny_data, turned):
    """In whatever order the two are given."""
    model = Scripted([3, 1, 2])
    callbacks = [WeightAveraging(0.9), EarlyStopping()]
    trainer = quiet(max_epochs=3, callbacks=callbacks[::-1] if turned else callbacks)
    trainer.fit(model, tiny_data)
    assert equal_bits(weights(model), model.kept[1])


def rates(schedule, data, epochs, lr=0.5):
    """The learning rate that each step is made with."""

    class Used(Record):
        def on_update_start(self, trainer):
            self.used = [*getattr(self, "used", ()), trainer.optim.param_groups[0]["lr"]]

    used = Used(lambda trainer: None)
    trainer = quiet(max_epochs=epochs, callbacks=[schedule, used])
    trainer.fit(tiny_net(lr=lr), data)
    return used.used, trainer


def test_a_schedule_sets_the_rate_of_each_step(tiny_data):
    used, _ = rates(LRSchedule(lambda epochs: 1 / (1 + epochs)), tiny_data, 2)
    assert used == pytest.approx([0.5 / (1 + step / 7) for step in range(14)])


def test_a_schedule_starts_anew_in_each_fit(tiny_data):
    schedule = LRSchedule(lambda epochs: 0.5**epochs)
    assert rates(schedule, tiny_data, 2)[0] == rates(schedule, tiny_data, 2)[0]


def test_the_cosine_warms_up_falls_and_ends_at_zero(tiny_data):
    used, trainer = rates(CosineSchedule(4, warmup_epochs=1), tiny_data, 4)
    falling = [0.25 * (1 + math.cos(math.pi * step / 21)) for step in range(21)]
    assert used[7:] == pytest.approx(falling)
    assert used[:7] == pytest.approx([0.5 * step / 7 for step in range(7)], abs=1e-3)
    assert 0 < used[0] < used[1] < max(used) == pytest.approx(0.5)
    assert trainer.optim.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)
    assert used[-1] > 0


@pytest.mark.parametrize("warmup", [0, 0.5, 3, 3.999])
def test_no_factor_of_a_cosine_exceeds_one_or_falls_below_zero(warmup):
    schedule = CosineSchedule(4, warmup_epochs=warmup)
    factors = [schedule.factor(4 * i / 5000) for i in range(5001)]
    assert min(factors) >= 0
    assert max(factors) <= 1
    assert schedule.factor(4.0) == pytest.approx(0, abs=1e-9)
    assert schedule.factor(9.0) == pytest.approx(0, abs=1e-9)  # goes on beyond the end


@pytest.mark.parametrize(
    "arguments", [(0,), (2.5,), (3, -1), (3, math.nan)], ids=["none", "half", "before", "nan"]
)
def test_a_senseless_cosine_is_refused(arguments):
    with pytest.raises(UsageError, match="epochs"):
        CosineSchedule(*arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(patience=0),
        lambda: EarlyStopping(min_delta=-1.0),
        lambda: WeightAveraging(1.5),
        lambda: GradientClipping(0.0),
    ],
)
def test_senseless_settings_are_refused_at_the_door(make):
    with pytest.raises(UsageError, match="wants a"):
        make()
