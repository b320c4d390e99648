"""Means over real tokens, and what a model carries from batch to batch."""

import math

import pytest
import torch
from tiny import At, equal_bits, last_checkpoint, quiet, weights
from torch import nn

from freedive.core.data import DataModule
from freedive.core.loader import TensorLoader
from freedive.core.metrics import Meter, perplexity
from freedive.core.module import Classifier, Module

PAD = 0


class Sentences(DataModule):
    """Rows of one to seven tokens, filled with padding; each token is to be named."""

    def __init__(self, num_train: int = 30, batch_size: int = 4):
        self.save_hyperparameters()
        chance = torch.Generator().manual_seed(5)
        lengths = torch.arange(num_train + 11) % 7 + 1
        tokens = torch.randint(1, 5, (num_train + 11, 7), generator=chance)
        self.y = tokens * (torch.arange(7) < lengths[:, None])
        self.X = nn.functional.one_hot(self.y, 5) + torch.randn(*self.y.shape, 5, generator=chance)

    def get_dataloader(self, train: bool) -> TensorLoader:
        """The first rows are for training."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader([self.X, self.y], train, rows)


class Tagger(Module):
    """A linear model of each token, whose loss leaves padding out."""

    def __init__(self, lr: float = 0.5):
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(0)
        self.net = nn.Linear(5, 5)

    def loss(self, y_hat, y):
        """The mean over real tokens."""
        losses = nn.functional.cross_entropy(y_hat.flatten(0, 1), y.flatten(), reduction="none")
        real = y.flatten() != PAD
        return (losses * real).sum() / real.sum().clamp(min=1)

    def weight(self, batch):
        """Real tokens."""
        return (batch[-1] != PAD).sum()

    def derived(self, means):
        """A perplexity of each loss."""
        return {
            name.replace("loss", "ppl"): perplexity(mean)
            for name, mean in means.items()
            if name.endswith("loss")
        }


def test_a_model_weighs_examples_unless_it_says_otherwise() -> None:
    batch = (torch.zeros(6, 3), torch.zeros(6))
    assert Module().weight(batch) == Classifier().weight(batch) == 6
    assert Module().derived({"val_loss": 1.0}) == Module().carried_state() == {}


def test_weights_may_be_tensors_numbers_or_both() -> None:
    meter = Meter()
    meter.add("loss", torch.tensor(1.0), torch.tensor(3))
    meter.add("loss", torch.tensor(2.0), 5)
    meter.add("acc", torch.tensor(0.5), torch.tensor(1))
    meter.add("loss", 7.0, torch.tensor(4))
    meter.add("loss", torch.tensor(9.0), torch.tensor(2, dtype=torch.int32))
    assert meter.means() == {"loss": (3 + 10 + 28 + 18) / 14, "acc": 0.5}
    assert meter.weights == {"loss": [3, 5, 4, 2], "acc": [1]}
    assert all(type(w) is int for w in meter.state_dict()["weights"]["loss"])


def test_batches_without_a_real_token_do_not_count() -> None:
    meter = Meter()
    meter.add("loss", torch.tensor(5.0), torch.tensor(0))
    assert math.isnan(meter.means()["loss"])
    meter.add("loss", torch.tensor(2.0), torch.tensor(8))
    assert meter.means()["loss"] == 2.0


def test_weights_come_to_the_host_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    for name in ("item", "tolist", "__int__", "__float__", "__index__", "__bool__"):
        original = getattr(torch.Tensor, name)

        def counted(self, *arguments, original=original, name=name):
            asked.append(name)
            return original(self, *arguments)

        monkeypatch.setattr(torch.Tensor, name, counted)

    def transfers(num_steps: int) -> int:
        meter = Meter()
        for step in range(num_steps):
            meter.add("loss", torch.tensor(float(step)), torch.tensor(step))
        assert asked == []  # adding does not wait for the device
        meter.read()
        count = len(asked)
        asked.clear()
        assert meter.weights["loss"] == list(range(num_steps))
        return count

    assert 0 < transfers(1) == transfers(500) <= 2


@pytest.mark.parametrize(("num_train", "k"), [(30, 2), (30, 3), (29, 4), (5, 100)])
def test_accumulating_batches_of_unequal_weight_is_a_larger_batch(num_train: int, k: int) -> None:
    small, large, means = Tagger(), Tagger(), {}
    for model, settings in ((small, {"accumulate": k}), (large, {})):
        data = Sentences(num_train, batch_size=4 if model is small else 4 * k)
        means[model] = quiet(max_epochs=3, **settings).fit(model, data)["train_loss"]
    for name, tensor in weights(small).items():
        torch.testing.assert_close(tensor, weights(large)[name])
    assert means[small] == pytest.approx(means[large], rel=1e-5)
    assert not equal_bits(weights(small), weights(Tagger()))


def test_the_gradient_is_that_of_all_tokens_at_once() -> None:
    data, model, whole = Sentences(), Tagger(), Tagger()
    batches = [(data.X[rows], data.y[rows]) for rows in (slice(0, 1), slice(1, 9), slice(9, 14))]
    batches.append((data.X[:2], torch.zeros(2, 7, dtype=torch.long)))  # nothing but padding
    whole.loss(whole(data.X[:14]), data.y[:14]).backward()
    trainer = quiet()
    trainer.prepare(model, data)
    trainer.fit_step(batches)
    torch.testing.assert_close(model.net.weight.grad, whole.net.weight.grad)
    torch.testing.assert_close(model.net.bias.grad, whole.net.bias.grad)
    by_examples = sum(
        torch.autograd.grad(whole.loss(whole(X), y), whole.net.weight)[0] * len(X) / 14
        for X, y in batches[:3]
    )
    assert not torch.allclose(by_examples, whole.net.weight.grad, rtol=1e-2)


def test_R19_a_history_holds_means_over_real_tokens_and_their_perplexity() -> None:
    data, model = Sentences(), Tagger()
    history = quiet(max_epochs=2).fit(model, data)
    X, y = data.X[30:], data.y[30:]
    with torch.no_grad():
        losses = nn.functional.cross_entropy(model(X)[y != PAD], y[y != PAD])
    assert history.last["val_loss"] == pytest.approx(losses.item(), rel=1e-5)
    for row in history.epochs:
        assert row["val_ppl"] == pytest.approx(math.exp(row["val_loss"]), rel=1e-5)
        assert row["train_ppl"] == pytest.approx(math.exp(row["train_loss"]), rel=1e-5)
    row = quiet().validate(model, data)
    assert row == {name: history.last[name] for name in ("val_loss", "val_ppl")}


class Carrying(Tagger):
    """A tagger that adds what the batches before had to say, as a recurrent network does."""

    def __init__(self):
        super().__init__()
        self.state, self.batches = torch.zeros(5), 0

    def training_step(self, batch):
        """Moves the state on."""
        loss = self.loss(self(batch[0]) + self.state, batch[1])
        self.state = 0.9 * self.state + 0.1 * batch[0].mean(dim=(0, 1))
        self.batches += 1
        self.plot("loss", loss, train=True)
        return loss

    def carried_state(self):
        """The state."""
        return {"state": self.state, "batches": self.batches}

    def load_carried_state(self, state):
        """Takes it up again."""
        self.state, self.batches = state["state"], state["batches"]


class Forgetful(Carrying):
    """Does not take it up again."""

    def load_carried_state(self, state):
        """Forgets."""


@pytest.mark.parametrize("batches", [2, 8, 10])  # of eight an epoch
def test_a_resumed_run_goes_on_with_what_the_model_carried(tmp_path, batches) -> None:
    def fit(folder, model=None, resume=False, stop=-1):
        model = model or Carrying()
        callback = At("on_step_end", stop, lambda trainer: trainer.stop("interrupted"))
        trainer = quiet(max_epochs=2, accumulate=2, run=folder, callbacks=[callback])
        return model, trainer.fit(model, Sentences(), resume=resume)

    whole, history = fit(tmp_path / "whole")
    ends = {}
    for kind in (Carrying, Forgetful):
        fit(tmp_path / kind.__name__, kind(), stop=batches)
        assert last_checkpoint(tmp_path / kind.__name__)["carried"]["batches"] == batches
        ends[kind], resumed = fit(tmp_path / kind.__name__, kind(), resume=True)
        assert (resumed.epochs == history.epochs) == (kind is Carrying)
    assert torch.equal(ends[Carrying].state, whole.state)
    assert ends[Carrying].batches == whole.batches == 16
    assert equal_bits(weights(ends[Carrying]), weights(whole))
