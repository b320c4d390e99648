"""Optimizers, schedules and precisions, as the loop drives them."""

import shutil

import pytest
import torch
from tiny import Record, epoch_batches, equal_bits, plain_loop, quiet, tiny_net, weights

from freedive.core.errors import UsageError
from freedive.core.optimization import lr_groups


class HandWritten:
    """Minibatch SGD with nothing but tensors."""

    def __init__(self, parameters, lr):
        self.parameters, self.lr = list(parameters), lr

    def step(self):
        for parameter in self.parameters:
            parameter -= self.lr * parameter.grad

    def zero_grad(self):
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.zero_()


def test_a_hand_written_optimizer_trains_as_torchs_does(tiny_data):
    ours, plain = tiny_net(optimizer=lambda ps: HandWritten(ps, 0.1)), tiny_net()
    quiet(max_epochs=2).fit(ours, tiny_data)
    for epoch in range(2):
        plain_loop(plain, epoch_batches(tiny_data, epoch))
    for name, tensor in weights(ours).items():
        torch.testing.assert_close(tensor, weights(plain)[name])


def rates(configure, data, epochs=3, **arguments):
    """The learning rate after each step."""
    record = Record(lambda trainer: lr_groups(trainer.optim)[0]["lr"])
    trainer = quiet(max_epochs=epochs, callbacks=[record], **arguments)
    trainer.fit(tiny_net(optimizer=configure), data)
    return record.seen


def halving(parameters):
    sgd = torch.optim.SGD(parameters, lr=0.8)
    return sgd, torch.optim.lr_scheduler.StepLR(sgd, 1, gamma=0.5)


def test_R34_scheduler_a_pair_steps_after_each_epoch(tiny_data):
    assert rates(halving, tiny_data) == pytest.approx([0.8] * 7 + [0.4] * 7 + [0.2] * 7)


@pytest.mark.parametrize("interval", [None, "epoch", "step"])
def test_the_dict_form_says_when_to_step(tiny_data, interval):
    def configure(parameters):
        optimizer, scheduler = halving(parameters)
        form = {"optimizer": optimizer, "scheduler": scheduler}
        return form if interval is None else {**form, "interval": interval}

    each_step = [0.8 * 0.5 ** (i + 1) for i in range(7)]
    expected = each_step if interval == "step" else [0.8] * 7
    assert rates(configure, tiny_data, epochs=1) == pytest.approx(expected)


def test_a_scheduler_steps_once_an_update_when_batches_are_gathered(tiny_data):
    def configure(parameters):
        optimizer, scheduler = halving(parameters)
        return {"optimizer": optimizer, "scheduler": scheduler, "interval": "step"}

    assert rates(configure, tiny_data, epochs=1, accumulate=3) == pytest.approx([0.4, 0.2, 0.1])


def test_an_interval_that_does_not_exist_is_refused(tiny_data):
    def configure(parameters):
        optimizer, scheduler = halving(parameters)
        return {"optimizer": optimizer, "scheduler": scheduler, "interval": "batch"}

    with pytest.raises(UsageError, match="batch"):
        rates(configure, tiny_data, epochs=1)


@pytest.mark.parametrize(("num_val", "metric"), [(20, "val_loss"), (0, "train_loss")])
def test_a_plateau_scheduler_sees_the_loss(make_data, num_val, metric):
    seen = []

    def configure(parameters):
        sgd = torch.optim.SGD(parameters, lr=0.8)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=0, threshold=10.0)
        step = plateau.step
        plateau.step = lambda value: (seen.append(value), step(value))
        return sgd, plateau

    model = tiny_net(optimizer=configure)
    history = quiet(max_epochs=3).fit(model, make_data(num_val=num_val))
    assert seen == history[metric]


def test_a_plateau_lowers_the_rate_of_a_run_that_does_not_improve(tiny_data):
    def configure(parameters):
        sgd = torch.optim.SGD(parameters, lr=0.8)
        return sgd, torch.optim.lr_scheduler.ReduceLROnPlateau(
            sgd, factor=0.1, patience=0, threshold=10.0, threshold_mode="abs"
        )

    expected = [0.8] * 14 + [0.08] * 7
    assert rates(configure, tiny_data) == pytest.approx(expected)


def test_adam_is_torchs_adam(tiny_data):
    ours = tiny_net(optimizer=lambda ps: torch.optim.Adam(ps, lr=0.01))
    plain = tiny_net()
    quiet(max_epochs=1).fit(ours, tiny_data)
    adam = torch.optim.Adam(plain.parameters(), lr=0.01)
    for X, y in epoch_batches(tiny_data, 0):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(plain(X), y).backward()
        adam.step()
    assert equal_bits(weights(ours), weights(plain))


@pytest.mark.parametrize("given", [None, "sgd", object()], ids=["nothing", "a name", "an object"])
def test_what_is_no_optimizer_is_refused(tiny_data, given):
    with pytest.raises(UsageError, match=r"TinyNet .*step and zero_grad, got"):
        quiet().fit(tiny_net(optimizer=lambda ps: given), tiny_data)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_R34_precision_a_mixed_run_learns_and_keeps_weights_in_full(make_data, precision):
    data, seen = make_data(num_train=200), []
    model = tiny_net(lr=0.5)
    model.net[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    history = quiet(max_epochs=15, precision=precision).fit(model, data)
    assert set(seen) == {{"bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    full = quiet(max_epochs=15).fit(tiny_net(lr=0.5), data)
    assert history.last["train_loss"] == pytest.approx(full.last["train_loss"], rel=0.1)


def test_fp16_gradients_are_clipped_at_their_true_size(tiny_data):
    norms = []

    class Norms(Record):
        def on_update_start(self, trainer):
            grads = [p.grad.norm() for p in trainer.model.parameters()]
            norms.append(torch.stack(grads).norm().item())

    trainer = quiet(
        max_epochs=1, precision="fp16", gradient_clip_val=0.1, callbacks=[Norms(lambda t: None)]
    )
    trainer.fit(tiny_net(), tiny_data)
    assert norms == pytest.approx([0.1] * 7, rel=1e-3)


def test_fp16_without_a_torch_optimizer_is_refused(tiny_data):
    with pytest.raises(UsageError, match="fp16"):
        quiet(precision="fp16").fit(tiny_net(optimizer=lambda ps: HandWritten(ps, 0.1)), tiny_data)


def test_an_unknown_precision_is_refused(tiny_data):
    with pytest.raises(UsageError, match=r"precision.*'64'"):
        quiet(precision="64").fit(tiny_net(), tiny_data)


@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler is here"
)
def test_R34_compile_a_compiled_run_gives_the_same_weights(make_data, monkeypatch):
    inductor = pytest.importorskip("torch._inductor.config")
    monkeypatch.setattr(inductor, "compile_threads", 1)  # a pool of workers takes longer to start
    data = make_data(num_train=8, num_val=0)
    compiled, plain = tiny_net(), tiny_net()
    quiet(max_epochs=2, compile=True).fit(compiled, data)
    quiet(max_epochs=2).fit(plain, data)
    for name, tensor in weights(compiled).items():
        torch.testing.assert_close(tensor, weights(plain)[name])
