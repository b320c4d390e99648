"""What image sets share, on a tiny one; and finding a data set by its name."""

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.loader import epoch_order
from freedive.data import DATASETS, find_dataset
from freedive.data.fashion_mnist import CLASSES
from freedive.data.images import LabelledImages, Split, as_floats


class Tiny(LabelledImages):
    name = "tiny"
    class_names = CLASSES

    def load(self, train: bool) -> Split:
        n = 20 if train else 5
        chance = torch.Generator().manual_seed(n)
        images = torch.randint(256, (n, 1, 28, 28), generator=chance, dtype=torch.uint8)
        return images, torch.arange(n) % 10


def test_a_batch_is_floats_and_labels() -> None:
    data = Tiny(batch_size=3)
    batches = list(data.val_dataloader())
    assert [len(y) for _, y in batches] == [3, 2]
    images, labels = batches[0]
    assert images.shape == (3, 1, 28, 28)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    np.testing.assert_allclose(images.numpy(), data.val[0][:3].numpy() / 255, rtol=1e-6)
    assert torch.equal(labels, torch.arange(3))
    assert data.val[0].dtype == torch.uint8  # and stay bytes in memory


def test_r10_no_worker_processes_and_batches_equal_a_slow_loop() -> None:
    data = Tiny(batch_size=6, resize=9)
    loader = data.get_dataloader(train=True)
    loader.epoch = 2
    batches = list(loader)
    assert multiprocessing.active_children() == []
    order = epoch_order(20, loader.seed, 2).tolist()
    images, labels = data.train
    slow = [F.interpolate(images[i : i + 1] / 255, size=(9, 9), mode="bilinear") for i in order]
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), torch.cat(slow))
    assert torch.cat([y for _, y in batches]).tolist() == [int(labels[i]) for i in order]


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 28, 28), (0, 1, 4, 4), (2, 3, 5, 8)])
@pytest.mark.parametrize("size", [None, 1, 7, 28, 65])
def test_resizing_equals_interpolate(shape: tuple[int, ...], size: int | None) -> None:
    images = torch.randint(256, shape, dtype=torch.uint8)
    expected = images.float() / 255
    if size and images.numel():
        expected = F.interpolate(expected, size=(size, size), mode="bilinear", align_corners=False)
    elif size:
        expected = expected.new_empty(*shape[:2], size, size)
    torch.testing.assert_close(as_floats(images, size), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [None, 1, 3, 9])
def test_resizing_takes_any_layout_and_floats_in_the_range_of_bytes(size: int | None) -> None:
    images = torch.randint(256, (3, 2, 5, 12), dtype=torch.uint8)
    expected = as_floats(images.contiguous(), size)
    for other in (
        images.contiguous(memory_format=torch.channels_last),
        images.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
        torch.stack([images, images], dim=-1)[..., 1],
        images.float(),
    ):
        before = other.clone()
        torch.testing.assert_close(as_floats(other, size), expected)
        assert torch.equal(other, before)


def test_every_byte_becomes_its_share_of_255() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = torch.arange(256, dtype=torch.float64) / 255
    found = as_floats(every).flatten()
    torch.testing.assert_close(found.double(), expected, rtol=1e-7, atol=0)
    assert (found.min(), found.max()) == (0, 1)


def test_resizing_is_as_precise_within_autocast() -> None:
    images = torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        found = as_floats(images, 40)
    assert torch.equal(found, as_floats(images, 40))


def test_resizing_goes_by_the_images_device_and_no_other() -> None:
    images = torch.randint(256, (2, 1, 6, 5), dtype=torch.uint8)
    expected = as_floats(images, 13)
    with torch.device("meta"):
        assert torch.equal(as_floats(images, 13), expected)
    elsewhere = as_floats(images.to("meta"), 13)
    assert (elsewhere.device.type, elsewhere.shape) == ("meta", (2, 1, 13, 13))
    with torch.inference_mode():
        as_floats(images, 17)  # what is kept from here serves training as well
    weight = torch.ones((), requires_grad=True)
    (as_floats(images, 17) * weight).sum().backward()
    torch.testing.assert_close(weight.grad, as_floats(images, 17).sum())


@pytest.mark.parametrize(("nrows", "ncols"), [(1, 8), (2, 2), (1, 1)])
def test_visualize_draws_without_a_display(nrows: int, ncols: int) -> None:
    data = Tiny()
    batch = next(iter(data.val_dataloader()))
    had_pyplot = "matplotlib.pyplot" in sys.modules
    figure = data.visualize(batch, nrows, ncols)
    shown = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == nrows * ncols
    assert [ax.get_title() for ax in shown] == list(CLASSES[: min(5, nrows * ncols)])
    np.testing.assert_array_equal(shown[0].images[0].get_array(), batch[0][0, 0])
    own = data.visualize(batch, nrows, ncols, labels=["mine"])
    assert own.axes[0].get_title() == "mine"
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot


def test_data_sets_are_found_by_name() -> None:
    for name in DATASETS:
        assert find_dataset(name).name == name
    with pytest.raises(UsageError, match="did you mean 'fashion-mnist'"):
        find_dataset("fashon-mnist")
    assert issubclass(find_dataset("garments"), LabelledImages)


def test_listing_data_sets_imports_no_torch() -> None:
    code = "import sys, freedive.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
