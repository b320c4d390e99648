"""The first edition's protocol: what book code replaces, adds and reads is where it was."""

import pytest
import torch
from torch.testing import assert_close

from freedive.d2l import torch as d2l


@pytest.fixture
def points():
    return d2l.SyntheticRegressionData(torch.tensor([2.0, -3.4]), 4.2, 0.01, 60, 30, 16)


def trained(trainer, points):
    torch.manual_seed(1)
    model = d2l.LinearRegressionScratch(2, lr=0.1)
    torch.manual_seed(2)
    trainer.fit(model, points)
    return model


class BookTrainer(d2l.Trainer):
    """A loop of one's own over batches of one's own, as section 3.4.4 writes it."""

    def prepare_batch(self, batch):
        self.seen = getattr(self, "seen", 0) + len(batch[0])
        return batch

    def fit_epoch(self):
        self.model.train()
        for batch in self.train_dataloader:
            loss = self.model.training_step(self.prepare_batch(batch))
            self.optim.zero_grad()
            with torch.no_grad():
                loss.backward()
                if self.gradient_clip_val > 0:
                    self.clip_gradients(self.gradient_clip_val, self.model)
                self.optim.step()
            self.train_batch_idx += 1
        if self.val_dataloader is None:
            return
        self.model.eval()
        for batch in self.val_dataloader:
            with torch.no_grad():
                self.model.validation_step(self.prepare_batch(batch))
            self.val_batch_idx += 1


@pytest.mark.parametrize("clip", [0, 0.5])
def test_a_loop_of_ones_own_trains_as_the_trainers(points, clip):
    own = BookTrainer(max_epochs=3, gradient_clip_val=clip)
    mine = trained(own, points)
    theirs = trained(d2l.Trainer(max_epochs=3, gradient_clip_val=clip), points)
    assert_close(mine.w, theirs.w)
    assert_close(mine.b, theirs.b)
    assert (own.seen, own.epoch, own.train_batch_idx) == (3 * 90, 3, 12)
    assert [row["epoch"] for row in own.history.epochs] == [1, 2, 3]
    for row, other in zip(own.history.epochs, theirs.trainer.history.epochs, strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)


def test_what_book_code_reads_is_there(points):
    trainer = d2l.Trainer(max_epochs=2)
    model = trained(trainer, points)
    assert (trainer.num_train_batches, trainer.num_val_batches) == (4, 2)
    assert len(trainer.train_dataloader) == 4
    assert (trainer.max_epochs, trainer.gpus) == (2, [])
    assert model.trainer is trainer
    assert (model.lr, points.batch_size, points.num_train) == (0.1, 16, 60)
    assert model.hparams["sigma"] == 0.01
    assert points.X.shape == (90, 2)
    X, y = next(iter(points.val_dataloader()))
    assert torch.equal(X, points.X[60:76])
    assert_close(y, X @ torch.tensor([[2.0], [-3.4]]) + 4.2, atol=0.06, rtol=0)
    xs = [p.x for p in model.board.data["train_loss"]]
    assert xs == sorted(xs)
    assert model.board.xlabel == "epoch"


def test_a_method_added_later_is_every_objects(points):
    model = d2l.LinearRegressionScratch(2, lr=0.1)

    class Later(d2l.Module):
        pass

    thing = Later()

    @d2l.add_to_class(Later)
    def hello(self):
        return "hello"

    assert thing.hello() == "hello"
    with pytest.raises(NotImplementedError, match="loss"):
        thing.loss(torch.ones(1), torch.ones(1))
    before = d2l.LinearRegressionScratch.loss
    try:

        @d2l.add_to_class(d2l.LinearRegressionScratch)
        def loss(self, y_hat, y):
            return (y_hat - y).abs().mean()

        assert float(model.loss(torch.tensor([1.0]), torch.tensor([3.0]))) == 2
    finally:
        d2l.LinearRegressionScratch.loss = before


def test_training_and_validation_steps_may_be_replaced(points):
    class Own(d2l.LinearRegression):
        def training_step(self, batch):
            loss = self.loss(self(*batch[:-1]), batch[-1])
            self.plot("mine", loss, train=True)
            return loss

        def validation_step(self, batch):
            self.plot("mine", torch.tensor(2.0), train=False)

        def configure_optimizers(self):
            return d2l.SGD(self.parameters(), self.lr)

    model = Own(lr=0.3)
    history = d2l.Trainer(max_epochs=5).fit(model, points)
    assert set(model.board.data) == {"train_mine", "val_mine"}
    assert history.epochs[-1]["val_mine"] == 2
    w, _ = model.get_w_b()
    assert_close(w.reshape(-1), torch.tensor([2.0, -3.4]), atol=0.1, rtol=0)
    assert model.hparams["lr"] == 0.3


def test_data_without_validation_and_more_gpus_than_there_are(capsys):
    class Only(d2l.DataModule):
        def __init__(self):
            super().__init__()
            self.X, self.batch_size = torch.randn(10, 2), 4

        def get_dataloader(self, train):
            return self.get_tensorloader([self.X, self.X[:, :1]], train) if train else None

    history = d2l.Trainer(max_epochs=1, num_gpus=99).fit(d2l.LinearRegression(lr=0.1), Only())
    assert "one device is used" in capsys.readouterr().err
    assert set(history.epochs[0]) >= {"epoch", "train_loss"}


def test_fast_mode_is_two_batches_of_one_epoch(points, monkeypatch):
    monkeypatch.setenv("FREEDIVE_D2L_FAST", "1")
    trainer = d2l.Trainer(max_epochs=9)
    trained(trainer, points)
    assert (trainer.epoch, trainer.train_batch_idx) == (1, 2)


@pytest.mark.parametrize("epochs", [0, -1, 1.5])
def test_a_number_of_epochs_that_is_none_is_refused(epochs):
    with pytest.raises(ValueError, match="max_epochs"):
        d2l.Trainer(max_epochs=epochs)
