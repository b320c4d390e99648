"""A search for a learning rate finds one, and leaves no trace."""

import math
import random

import numpy as np
import pytest
import torch
from tiny import TinyNet, epoch_batches, equal_bits, quiet, tiny_net, weights
from torch import nn
from torch.utils.data import DataLoader

from freedive.core.errors import DataError, DivergenceError, FreediveError, UsageError
from freedive.core.loader import TensorLoader
from freedive.core.lr_finder import LRSearch, find_lr, running_mean
from freedive.core.module import Classifier


class Marked(Classifier):
    """A model with everything that a search could disturb."""

    def __init__(self):
        super().__init__()
        self.lr = 0.1
        self.net = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3)
        )
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        self.register_buffer("mean", torch.zeros(4))
        self.seen = None

    def forward(self, X):
        """Also changes buffers in place and by replacing them, and keeps what it saw."""
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * X.mean(dim=0)
        self.seen = X
        return self.net(X)


def search(model, data, **arguments):
    return find_lr(model, data, device="cpu", **{"steps": 20, **arguments})


def test_parameters_and_buffers_are_as_before(tiny_data):
    torch.manual_seed(0)
    model = Marked()
    tensors = [*model.parameters(), *model.buffers()]
    values = [(t.data_ptr(), t.detach().clone()) for t in tensors]
    search(model, tiny_data)
    after = [*model.parameters(), *model.buffers()]
    assert all(a is b for a, b in zip(after, tensors, strict=True))
    assert all(t.data_ptr() == at for t, (at, _) in zip(tensors, values, strict=True))
    assert all(torch.equal(t, value) for t, (_, value) in zip(tensors, values, strict=True))
    assert (model.seen, model.steps.item()) == (None, 0)


def test_gradients_are_as_before_and_none_stays_none(tiny_data):
    model = tiny_net()
    grad = torch.randn(8, 4)
    model.net[0].weight.grad, kept = grad, grad.clone()
    search(model, tiny_data)
    assert model.net[0].weight.grad is grad
    assert torch.equal(grad, kept)
    assert [p.grad is None for p in model.parameters()] == [False, True, True, True]


def test_the_training_mode_of_each_part_is_as_before(tiny_data):
    model = Marked()
    model.eval()
    model.net[1].train()
    modes = [m.training for m in model.modules()]
    search(model, tiny_data)
    assert [m.training for m in model.modules()] == modes
    model.train()
    search(model, tiny_data)
    assert all(m.training for m in model.modules())


def test_every_generator_is_as_before(tiny_data):
    model = Marked()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    search(model, tiny_data)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()


def test_trainer_board_and_curves_are_as_before(tiny_data):
    model = tiny_net()
    trainer = quiet(max_epochs=1)
    trainer.fit(model, tiny_data)
    board, series = model.board, dict(model.board.series)
    model.trainer = trainer
    search(model, tiny_data)
    assert model.trainer is trainer
    assert model.board is board
    assert board.series == series
    assert len(trainer.history) == 1


def test_a_loader_that_the_data_keep_is_as_before(tiny_data, monkeypatch):
    loader = TensorLoader(tiny_data.training_tensors(), 8, shuffle=True, seed=11)
    loader.epoch, loader.start = 5, 2
    before, tensors = dict(vars(loader)), loader.tensors
    monkeypatch.setattr(tiny_data, "train_dataloader", lambda: loader)
    search(tiny_net(), tiny_data)
    assert vars(loader) == before
    assert loader.tensors is tensors


def test_a_generator_of_a_torch_loader_is_as_before(tiny_data, monkeypatch):
    own = torch.Generator().manual_seed(4)
    pairs = list(zip(*tiny_data.training_tensors(), strict=True))
    loader = DataLoader(pairs, batch_size=8, shuffle=True, generator=own)
    monkeypatch.setattr(tiny_data, "train_dataloader", lambda: loader)
    state = own.get_state()
    search(tiny_net(), tiny_data)
    assert torch.equal(own.get_state(), state)


def test_an_error_within_leaves_no_trace_either(tiny_data):
    class Breaks(TinyNet):
        def training_step(self, batch):
            if self.lr > 9:
                raise ZeroDivisionError
            self.lr += 1
            return super().training_step(batch)

    torch.manual_seed(0)
    model = Breaks(lr=1.0)
    before, state = weights(model), torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        search(model, tiny_data)
    assert equal_bits(weights(model), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (model.lr, model.net[0].weight.grad) == (1.0, None)


def test_a_run_after_a_search_is_a_run_without_one(tiny_data):
    with_search, without = tiny_net(dropout=0.3), tiny_net(dropout=0.3)
    torch.manual_seed(9)
    search(with_search, tiny_data)
    quiet(max_epochs=1, seed=None).fit(with_search, tiny_data)
    torch.manual_seed(9)
    quiet(max_epochs=1, seed=None).fit(without, tiny_data)
    assert equal_bits(weights(with_search), weights(without))


def test_two_searches_see_the_same(tiny_data):
    model = tiny_net(dropout=0.3)
    assert search(model, tiny_data) == search(model, tiny_data)


def test_the_losses_are_those_of_a_plain_loop(tiny_data):
    torch.manual_seed(0)
    found = search(tiny_net(), tiny_data, low=1e-3, high=1.0, steps=14)
    plain, raw = tiny_net(), []
    batches = [b for epoch in (0, 1) for b in epoch_batches(tiny_data, epoch, torch.initial_seed())]
    for step, (X, y) in enumerate(batches):
        assert found.lrs[step] == pytest.approx(1e-3 * 1000 ** (step / 13))
        loss = nn.functional.cross_entropy(plain(X), y)
        plain.zero_grad()
        loss.backward()
        for parameter in plain.parameters():
            parameter.data -= found.lrs[step] * parameter.grad
        raw.append(loss.item())
    for step in range(14):
        shares = [0.9 ** (step - i) for i in range(step + 1)]
        mean = sum(s * loss for s, loss in zip(shares, raw[: step + 1], strict=True)) / sum(shares)
        assert found.losses[step] == pytest.approx(mean, rel=1e-5)


def test_a_running_mean_of_equal_values_is_that_value():
    assert list(running_mean([2.0] * 5)) == pytest.approx([2.0] * 5)
    assert list(running_mean([])) == []
    assert next(running_mean(iter([7.0]))) == pytest.approx(7.0)


class Valley(Classifier):
    """½‖w‖²: a step with rate r multiplies w by 1 − r, so that all beyond 2 explodes."""

    def __init__(self):
        super().__init__()
        self.lr = 0.1
        self.w = nn.Parameter(torch.ones(3))

    def training_step(self, batch):
        return self.w.square().sum() / 2


def test_it_stops_when_the_loss_explodes(make_data):
    found = search(Valley(), make_data(), low=1e-4, high=1e4, steps=200)
    assert len(found.lrs) == len(found.losses) < 200
    assert 2 < found.lrs[-1] < 300
    assert found.losses[-1] > 4 * min(found.losses)
    assert all(math.isfinite(loss) for loss in found.losses)


def test_the_suggestion_lies_where_the_loss_falls(make_data):
    found = search(Valley(), make_data(), low=1e-4, high=1e4, steps=200)
    assert 0.01 < found.suggestion < 2
    at = found.lrs.index(found.suggestion)
    assert found.losses[at] < found.losses[at - 1]


def test_the_suggestion_is_the_steepest_descent():
    losses = [3.0] * 10 + [2.9, 2.5, 1.0, 0.9, 4.0]
    lrs = tuple(10.0**i for i in range(15))
    assert LRSearch(lrs, tuple(losses)).suggestion == lrs[12]
    assert LRSearch((0.5,), (1.0,)).suggestion == 0.5
    assert LRSearch((0.5, 1.0), (1.0, 2.0)).suggestion == 1.0


def test_a_rate_that_was_suggested_trains(make_data):
    data, model = make_data(num_train=200), tiny_net()
    found = search(model, data, steps=100)
    model.lr = found.suggestion
    history = quiet(max_epochs=20).fit(model, data)
    assert history["train_loss"][-1] < 0.7 * history["train_loss"][0]


def test_a_result_cannot_be_changed_and_can_be_drawn():
    found = LRSearch((0.1, 1.0), (2.0, 1.0))
    with pytest.raises(AttributeError):
        found.lrs = ()
    (axes,) = found.figure().axes
    assert axes.get_xscale() == "log"
    assert list(axes.lines[0].get_xdata()) == [0.1, 1.0]
    assert any("suggestion 1" in text.get_text() for text in axes.get_legend().get_texts())


def test_one_step_is_enough(tiny_data):
    found = search(tiny_net(), tiny_data, steps=1)
    assert found.lrs == (1e-6,)
    assert found.suggestion == 1e-6


def test_a_hand_written_optimizer_and_several_groups_are_driven(tiny_data):
    used = []

    class Sgd(torch.optim.SGD):
        def step(self, closure=None):
            used.append([group["lr"] for group in self.param_groups])
            super().step(closure)

    def two_groups(parameters):
        first, *rest = parameters
        return Sgd([{"params": [first], "lr": 5.0}, {"params": rest}], lr=0.1)

    found = search(tiny_net(optimizer=two_groups), tiny_data, steps=5)
    assert used == [[lr, lr] for lr in found.lrs]


@pytest.mark.parametrize(
    "bad",
    [{"low": 0.0}, {"low": -1.0}, {"high": math.inf}, {"steps": 0}, {"low": 1.0, "high": 1.0}],
)
def test_senseless_settings_are_refused(tiny_data, bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        search(tiny_net(), tiny_data, **bad)


def test_data_without_examples_are_refused(make_data):
    with pytest.raises(DataError):
        search(tiny_net(), make_data(num_train=0))


def test_a_loss_that_is_never_finite_is_an_error_in_one_line(tiny_data):
    tiny_data.X[:] = math.nan
    model = tiny_net()
    before = weights(model)
    with pytest.raises(DivergenceError) as caught:
        search(model, tiny_data)
    assert isinstance(caught.value, FreediveError)
    assert "\n" not in str(caught.value)
    assert equal_bits(weights(model), before)
