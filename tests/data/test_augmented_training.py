"""Training on augmented images: soft labels in the loss, and runs that are stopped and resumed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.core.tiny import At, equal_bits, quiet, weights
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.module import Classifier
from freedive.core.random import seed_everything
from freedive.data.images import LabelledImages, Split, as_floats


@pytest.mark.parametrize("shape", [(5, 4), (0, 4), (1, 1), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_loss_of_probabilities_is_the_mean_loss_of_the_classes(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    logits = torch.randn(shape, dtype=dtype, requires_grad=True)
    p = torch.rand(shape).softmax(-1)
    losses = Classifier().loss(logits, p, averaged=False)
    by_class = logits.double().logsumexp(-1, keepdim=True) - logits.double()
    expected = (p.double() * by_class).sum(-1).flatten()
    tolerance = {} if dtype != torch.bfloat16 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(losses.double(), expected, **tolerance)
    if len(losses):
        torch.testing.assert_close(Classifier().loss(logits, p), losses.mean())
        (grad,) = torch.autograd.grad(losses.sum(), logits)
        torch.testing.assert_close(grad.double(), logits.double().softmax(-1) - p, **tolerance)


def test_the_loss_of_certain_probabilities_is_that_of_the_class() -> None:
    logits, y = torch.randn(6, 3), torch.arange(6) % 3
    loss = Classifier().loss
    torch.testing.assert_close(loss(logits, F.one_hot(y, 3).float()), loss(logits, y))


def test_probabilities_of_other_classes_than_the_model_has_are_refused() -> None:
    with pytest.raises(UsageError, match=r"mixup wants one output .* \(2, 12\) .* \(2, 10\)"):
        Classifier().loss(torch.zeros(2, 12), torch.full((2, 10), 0.1))


class Ten(LabelledImages):
    """Ten images to learn from, one of each class, and three to judge by."""

    name = "ten"
    class_names = tuple("abcdefghij")

    def load(self, train: bool) -> Split:
        chance = torch.Generator().manual_seed(9)
        images = torch.randint(1, 256, (13, 2, 8, 8), generator=chance, dtype=torch.uint8)
        images = images[:10] if train else images[10:]
        return images, torch.arange(len(images))


ALL: dict[str, Any] = {"crop": 2, "flip": True, "cutout": 3, "mixup": 0.4}


def test_with_all_off_nothing_changes() -> None:
    data = Ten(batch_size=4, resize=5)
    loader = data.get_dataloader(train=True)
    assert loader.augment is None
    order = torch.cat([y for _, y in loader])
    assert order.dtype == torch.int64
    assert torch.equal(torch.cat([X for X, _ in loader]), as_floats(data.train[0], 5)[order])
    assert data.fingerprint() == "ten:{'batch_size': 4, 'resize': 5}"
    assert Ten(batch_size=4, resize=5, **ALL).fingerprint() == data.fingerprint()


@pytest.mark.parametrize("asked", [{name: value} for name, value in ALL.items()] + [ALL])
def test_training_batches_are_augmented_and_validation_batches_are_not(
    asked: dict[str, Any],
) -> None:
    plain, data = Ten(batch_size=10), Ten(batch_size=10, **asked)
    for (X, y), (X_plain, y_plain) in zip(
        data.val_dataloader(), plain.val_dataloader(), strict=True
    ):
        assert torch.equal(X, X_plain)
        assert torch.equal(y, y_plain)
    (((X, y),), ((X_plain, y_plain),)) = data.train_dataloader(), plain.train_dataloader()
    assert X.shape == X_plain.shape
    assert 0 <= X.min() <= X.max() <= 1
    assert not torch.equal(X, X_plain)
    if "mixup" in asked:
        assert (y.dtype, y.shape) == (torch.float32, (10, 10))
        assert torch.equal(y.argmax(1).bincount() > 0, torch.ones(10, dtype=torch.bool))
    else:
        assert torch.equal(y, y_plain)


def test_to_mix_before_scaling_and_resizing_is_to_mix_after() -> None:
    data = Ten(batch_size=10, resize=11, mixup=0.9)
    ((X, y),) = data.train_dataloader()
    assert 0 < (1 - y.amax(1)).max() < 1
    expected = (y @ as_floats(data.train[0], 11).flatten(1)).view_as(X)
    torch.testing.assert_close(X, expected, rtol=1e-5, atol=1e-6)


def test_images_too_small_are_refused_before_training() -> None:
    for asked in ("crop", "cutout"):
        data = Ten(**{asked: 8})
        with pytest.raises(UsageError, match=f"^{asked} wants 0 to 7 pixels for images of 8×8"):
            data.train_dataloader()
        assert len(list(data.val_dataloader())) == 1
    for name, value in {"crop": -1, "cutout": 1.5, "mixup": -0.1}.items():
        with pytest.raises(UsageError, match=f"{name} wants"):
            Ten(**{name: value})


def fit(folder: Path, *stops: At, resume: bool = False) -> tuple[dict[str, Tensor], Any]:
    """A run of three epochs of four batches with everything on, or a part of one."""
    seed_everything(5)
    model = Classifier()
    model.lr = 0.1
    model.net = nn.Sequential(nn.Flatten(), nn.Linear(128, 10), nn.Dropout(0.2))
    trainer = quiet(max_epochs=3, run=folder, callbacks=[At("on_step_end", -1, print), *stops])
    history = trainer.fit(model, Ten(batch_size=3, **ALL), resume=resume)
    return weights(model), history


@pytest.mark.parametrize("stops", [(1,), (4,), (6,), (3, 5, 11)])
def test_a_stopped_and_resumed_run_ends_in_the_bits_of_an_undisturbed_one(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    whole, history = fit(tmp_path / "whole")
    for batches in stops:
        stop = At("on_step_end", batches, lambda trainer: trainer.stop("interrupted"))
        fit(tmp_path / "parts", stop, resume=True)
        torch.rand(batches)
    parts, resumed = fit(tmp_path / "parts", resume=True)
    assert equal_bits(parts, whole)
    assert resumed.epochs == history.epochs
    assert resumed.curves == history.curves
