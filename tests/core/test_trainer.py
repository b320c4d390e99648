"""The loop does what a loop written by hand does, and tells what happened."""

import pytest
import torch
from tiny import (
    At,
    Record,
    TinyNet,
    epoch_batches,
    equal_bits,
    plain_loop,
    quiet,
    tiny_net,
    weights,
)
from torch import nn

from freedive.core import trainer as trainers
from freedive.core.errors import DataError, UsageError
from freedive.core.loader import TensorLoader
from freedive.core.module import Classifier, Regressor
from freedive.core.random import seed_everything


def test_fit_is_the_plain_loop_to_the_bit(tiny_data):
    ours, plain = tiny_net(), tiny_net()
    history = quiet(max_epochs=3).fit(ours, tiny_data)
    for epoch in range(3):
        batches = list(epoch_batches(tiny_data, epoch))
        losses = plain_loop(plain, batches)
        mean = sum(loss * len(y) for loss, (_, y) in zip(losses, batches, strict=True)) / 50
        assert history["train_loss"][epoch] == pytest.approx(mean, rel=1e-6)
    assert equal_bits(weights(ours), weights(plain))
    assert (history.status, len(history)) == ("finished", 3)


def test_validation_means_are_those_over_all_examples(tiny_data):
    """Twenty examples in batches of eight: the last one of four weighs half."""
    model = tiny_net()
    history = quiet(max_epochs=2).fit(model, tiny_data)
    X, y = tiny_data.X[50:], tiny_data.y[50:]
    with torch.no_grad():
        y_hat = model(X)
    assert history.last["val_loss"] == pytest.approx(model.loss(y_hat, y).item(), rel=1e-5)
    assert history.last["val_acc"] == pytest.approx((y_hat.argmax(1) == y).float().mean().item())


def test_it_learns(make_data):
    history = quiet(max_epochs=20).fit(tiny_net(lr=0.5), make_data(num_train=200))
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    assert history.last["val_acc"] > 0.8


@pytest.mark.parametrize(("num_train", "k"), [(48, 3), (50, 3), (50, 4), (5, 4), (50, 100)])
def test_accumulating_is_a_larger_batch(make_data, num_train, k):
    """Also where the last group is short of a batch, and its last batch short of examples."""
    small, large = tiny_net(), tiny_net()
    history = quiet(max_epochs=2, accumulate=k).fit(small, make_data(num_train=num_train))
    other = quiet(max_epochs=2).fit(large, make_data(num_train=num_train, batch_size=8 * k))
    for name, tensor in weights(small).items():
        torch.testing.assert_close(tensor, weights(large)[name])
    assert history["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)


def test_R26_clipping_in_the_loop_is_that_of_torch(tiny_data):
    ours, plain = tiny_net(), tiny_net()
    quiet(max_epochs=2, gradient_clip_val=0.05).fit(ours, tiny_data)
    for epoch in range(2):
        plain_loop(plain, epoch_batches(tiny_data, epoch), max_norm=0.05)
    for name, tensor in weights(ours).items():
        torch.testing.assert_close(tensor, weights(plain)[name])
    assert not equal_bits(weights(ours), weights(tiny_net()))


def test_limit_batches_ends_epochs_early(tiny_data):
    ours, plain = tiny_net(), tiny_net()
    trainer = quiet(max_epochs=2, limit_batches=2)
    trainer.fit(ours, tiny_data)
    for epoch in range(2):
        plain_loop(plain, list(epoch_batches(tiny_data, epoch))[:2])
    assert equal_bits(weights(ours), weights(plain))
    assert (trainer.train_batch_idx, trainer.val_batch_idx) == (4, 4)
    assert (trainer.num_train_batches, trainer.num_val_batches) == (2, 2)


def test_any_iterable_of_batches_will_do(tiny_data):
    class Listed(type(tiny_data)):
        def get_dataloader(self, train):
            return list(epoch_batches(tiny_data, 0)) if train else None

    ours, plain = tiny_net(), tiny_net()
    history = quiet(max_epochs=2).fit(ours, Listed())
    for _ in range(2):
        plain_loop(plain, epoch_batches(tiny_data, 0))
    assert equal_bits(weights(ours), weights(plain))
    assert list(history.last) == ["epoch", "train_loss"]


class Stream:
    """Batches without a length."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("read_every", [0.0, 1e9])
def test_a_stream_of_unknown_length_has_a_curve_that_does_not_depend_on_when(
    tiny_data, monkeypatch, read_every
):
    monkeypatch.setattr(trainers, "READ_EVERY", read_every)
    stream = Stream(list(epoch_batches(tiny_data, 0)))
    monkeypatch.setattr(tiny_data, "train_dataloader", lambda: stream)
    history = quiet(max_epochs=2).fit(tiny_net(), tiny_data)
    xs = [x for x, _ in history.curves["train_loss"]]
    assert xs == pytest.approx([(i + 1) / 7 for i in range(14)])


def test_a_dataloader_over_a_stream_has_no_length_and_trains(tiny_data, monkeypatch):
    class Pairs(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(*tiny_data.training_tensors(), strict=True))

    monkeypatch.setattr(
        tiny_data, "train_dataloader", lambda: torch.utils.data.DataLoader(Pairs(), batch_size=8)
    )
    history = quiet(max_epochs=1).fit(tiny_net(), tiny_data)
    assert history.last["train_loss"] > 0


def test_without_examples_there_is_nothing_to_train_on(make_data):
    with pytest.raises(DataError, match="training"):
        quiet().fit(tiny_net(), make_data(num_train=0))


def test_without_validation_examples_there_is_only_a_training_loss(make_data):
    history = quiet(max_epochs=1).fit(tiny_net(), make_data(num_val=0))
    assert list(history.last) == ["epoch", "train_loss"]


def test_one_example_is_enough(make_data):
    history = quiet(max_epochs=2).fit(tiny_net(), make_data(num_train=1, num_val=1, batch_size=1))
    assert len(history["val_acc"]) == 2


def test_R31_validating_does_not_move_averages_even_with_gradients(tiny_data):
    class Normed(Classifier):
        def __init__(self):
            super().__init__()
            self.lr = 0.1
            self.net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
            self.before, self.after = [], []

        @torch.enable_grad()
        def validation_step(self, batch):
            self.before.append(weights(self))
            super().validation_step(batch)
            self.after.append(weights(self))

    model = Normed()
    start = weights(model)["net.1.running_mean"]
    quiet(max_epochs=2).fit(model, tiny_data)
    assert len(model.before) == 6
    assert all(equal_bits(a, b) for a, b in zip(model.before, model.after, strict=True))
    assert not torch.equal(model.after[-1]["net.1.running_mean"], start)  # training does move them


def test_R18_a_hand_written_model_has_a_state_dict_and_trains():
    class Line(Regressor):
        def __init__(self):
            super().__init__()
            self.lr = 0.1
            self.w = nn.Parameter(torch.zeros(2, 1))
            self.b = nn.Parameter(torch.zeros(1))

        def forward(self, X):
            return X @ self.w + self.b

    class Points:
        X = torch.randn(64, 2)

        def train_dataloader(self):
            y = self.X @ torch.tensor([2.0, -3.4]) + 4.2
            return TensorLoader([self.X, y], 8, shuffle=True)

        def val_dataloader(self):
            return None

    model = Line()
    assert list(model.state_dict()) == ["w", "b"]
    quiet(max_epochs=30).fit(model, Points())
    torch.testing.assert_close(model.w[:, 0], torch.tensor([2.0, -3.4]), rtol=0, atol=0.01)
    torch.testing.assert_close(model.b, torch.tensor([4.2]), rtol=0, atol=0.01)


def test_targets_that_would_be_broadcast_are_reshaped_or_refused():
    outputs = torch.tensor([[1.0], [2.0], [4.0]])
    loss = Regressor().loss(outputs, torch.tensor([1.0, 2.0, 1.0]))
    assert loss.item() == pytest.approx(9 / 3 / 2)
    with pytest.raises(UsageError, match="one number is wanted for each target"):
        Regressor().loss(outputs, torch.tensor([1.0]))


def test_R34_seed_two_runs_are_equal_to_the_bit(make_data):
    runs = []
    for _ in range(2):
        torch.rand(3)  # whatever happened before
        seed_everything(5)
        model = TinyNet(dropout=0.5)
        torch.rand(3)
        history = quiet(max_epochs=2, seed=5).fit(model, make_data())
        runs.append((weights(model), history.epochs, history.curves))
    assert equal_bits(runs[0][0], runs[1][0])
    assert runs[0][1:] == runs[1][1:]
    other = tiny_net(seed=5, dropout=0.5)
    quiet(max_epochs=2, seed=6).fit(other, make_data())
    assert not equal_bits(weights(other), runs[0][0])


def test_R34_without_a_seed_the_global_one_decides(tiny_data):
    runs = []
    for seed in (1, 1, 2):
        model = tiny_net()
        seed_everything(seed)
        quiet(max_epochs=1, seed=None).fit(model, tiny_data)
        runs.append(weights(model))
    assert equal_bits(runs[0], runs[1])
    assert not equal_bits(runs[0], runs[2])


def test_hooks_are_called_in_their_order_and_ends_in_the_opposite(make_data):
    calls = []

    def teller(name):
        def method(moment):
            return lambda self, trainer: calls.append(f"{name} {moment}")

        moments = ("fit_start", "epoch_start", "step_end", "validation_start", "measured")
        ends = ("validation_end", "epoch_end", "fit_end")
        methods = {f"on_{moment}": method(moment) for moment in (*moments, *ends)}
        return type(name, (Record,), methods)(lambda trainer: None)

    trainer = quiet(max_epochs=1, callbacks=[teller("a"), teller("b")])
    trainer.fit(tiny_net(), make_data(num_train=8))
    starts = ["fit_start", "epoch_start", "step_end", "validation_start"]
    ends = ["measured", "validation_end", "epoch_end", "fit_end"]
    expected = [f"{who} {moment}" for moment in starts for who in "ab"]
    assert calls == expected + [f"{who} {moment}" for moment in ends for who in "ba"]


def test_the_model_knows_its_trainer_only_while_it_trains(tiny_data):
    model = tiny_net()
    record = Record(lambda trainer: trainer.model.trainer is trainer)
    quiet(max_epochs=1, callbacks=[record]).fit(model, tiny_data)
    assert set(record.seen) == {True}
    assert model.trainer is None


def test_an_error_of_a_callback_is_told_and_the_others_still_end(tiny_data):
    def fail(trainer):
        raise ZeroDivisionError

    class Ends(Record):
        def on_fit_end(self, trainer):
            self.seen.append(trainer.history.status)

    ends, model = Ends(lambda trainer: None), tiny_net()
    trainer = quiet(max_epochs=2, callbacks=[ends, At("on_step_end", 3, fail)])
    with pytest.raises(ZeroDivisionError):
        trainer.fit(model, tiny_data)
    assert ends.seen == [None] * 3 + ["failed"]
    assert model.trainer is None


def test_progress_prints_the_last_epoch_of_a_plain_run(tiny_data, capsys):
    history = quiet(max_epochs=3, progress=True).fit(tiny_net(), tiny_data)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("epoch 3/3  train_loss ")
    assert f"val_acc {history.last['val_acc']:.4f}" in lines[-1]


@pytest.mark.parametrize(
    "bad", [{"max_epochs": 0}, {"accumulate": 0}, {"gradient_clip_val": -1}, {"limit_batches": 0}]
)
def test_a_senseless_setting_is_refused_at_the_door(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        quiet(**bad)
