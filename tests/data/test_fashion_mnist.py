"""Fashion-MNIST from small or the published files, garments from a stand-in drawing."""

import hashlib
import os
import struct
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from freedive.core.errors import DataError, UsageError
from freedive.data import fashion_mnist
from freedive.data.fashion_mnist import FashionMNIST, Garments
from freedive.data.garments import CLASSES
from freedive.data.store import Collection, RemoteFile

REAL = os.environ.get("FREEDIVE_DATA")
NAMES = tuple(fashion_mnist.CONTENTS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FREEDIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    return tmp_path / "cache"


def idx(values: Tensor) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


def small_files() -> dict[str, bytes]:
    pixels = torch.randint(256, (25, 28, 28), generator=torch.Generator().manual_seed(0))
    columns = (pixels[:20], torch.arange(20) % 10, pixels[20:], torch.arange(5))
    return {name: idx(column) for name, column in zip(NAMES, columns, strict=True)}


class Small(FashionMNIST):
    collection = Collection(
        "fashion-mnist",
        tuple(RemoteFile(n, hashlib.sha256(c).hexdigest()) for n, c in small_files().items()),
    )


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    return put(tmp_path / "data" / "fashion-mnist", small_files())


def test_text_labels_and_fingerprint() -> None:
    data = FashionMNIST()
    assert data.text_labels([0, 9]) == ["t-shirt", "ankle boot"]
    assert data.text_labels(torch.tensor([4])) == ["coat"]
    assert data.text_labels([]) == []
    for digest in fashion_mnist.CONTENTS.values():
        assert digest in data.fingerprint()
    assert FashionMNIST.standin == "garments"
    assert not FashionMNIST.synthetic


def test_model_arguments_are_known_without_loading() -> None:
    assert FashionMNIST(resize=224).model_arguments() == {
        "num_inputs": 224 * 224,
        "num_outputs": 10,
        "num_classes": 10,
        "in_channels": 1,
        "image_size": 224,
    }
    assert Garments(size=40).model_arguments()["num_inputs"] == 1600
    assert FashionMNIST().model_arguments()["image_size"] == 28


def test_given_files_that_are_not_fashion_mnist_are_refused(given: Path) -> None:
    (given / NAMES[2]).write_bytes(idx(torch.zeros(5, 28, 28)))
    with pytest.raises(DataError, match=r"not the published Fashion-MNIST.*--data FOLDER"):
        _ = Small().val
    assert len(Small().train[0]) == 20


def test_given_files_that_are_wrong_in_themselves_say_how(given: Path) -> None:
    for content, fault in {
        idx(torch.zeros(6)): "5 images and 6 labels",
        idx(torch.full((5,), 10)): "got 10 at index 0",
        b"<html>not found": "HTML page",
        small_files()[NAMES[3]][:-1]: "cut off",
        small_files()[NAMES[2]]: "magic number",
    }.items():
        (given / NAMES[3]).write_bytes(content)
        with pytest.raises(DataError, match=fault):
            _ = Small().val


def test_availability_says_where_the_files_would_come_from(
    given: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FashionMNIST.availability() == "given"
    monkeypatch.delenv("FREEDIVE_DATA")
    assert FashionMNIST.availability() == "download"
    assert FashionMNIST.availability(download=False) is None
    put(cache / "fashion-mnist", small_files())
    assert FashionMNIST.availability() == "cached"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the drawing by noise, and lists the seeds it was called with."""
    seeds: list[int] = []

    def draw(labels: Tensor, size: int = 28, seed: int = 0) -> Tensor:
        seeds.append(seed)
        chance = torch.Generator().manual_seed(seed)
        shape = (len(labels), 1, size, size)
        return torch.randint(256, shape, generator=chance, dtype=torch.uint8)

    monkeypatch.setattr(fashion_mnist, "draw_garments", draw)
    return seeds


def test_garments_are_drawn_once_and_kept(drawn: list[int]) -> None:
    first, second = (Garments(num_train=12, num_val=4, size=9) for _ in range(2))
    for ours, theirs in zip((*first.train, *first.val), (*second.train, *second.val), strict=True):
        assert torch.equal(ours, theirs)
    assert len(drawn) == len(set(drawn)) == 2
    assert first.train[0].shape == (12, 1, 9, 9)
    second.train[0].zero_()  # what comes from the cache can be written, too
    assert Garments.synthetic
    assert first.class_names == CLASSES


def test_other_garments_are_drawn_anew(drawn: list[int]) -> None:
    same = {"num_train": 4, "num_val": 3, "size": 8}
    sets = [Garments(**same), Garments(**same, data_seed=1), Garments(**same | {"num_train": 5})]
    images = [data.train[0][:4] for data in sets]
    assert not torch.equal(images[0], images[1])
    assert len({data.fingerprint() for data in sets}) == 3
    assert Garments(**same, batch_size=1).fingerprint() == sets[0].fingerprint()


@pytest.mark.parametrize("damage", [b"", b"garbage", "cut off", "of another size"])
def test_a_damaged_drawing_is_made_anew(drawn: list[int], cache: Path, damage: bytes | str) -> None:
    whole = Garments(num_train=4, size=8).train
    (path,) = (cache / "garments").iterdir()
    if damage == "of another size":
        _ = Garments(num_train=3, size=8).train
        (other,) = set((cache / "garments").iterdir()) - {path}
        other.replace(path)
    else:
        path.write_bytes(damage if isinstance(damage, bytes) else path.read_bytes()[:-1])
    calls = len(drawn)
    again = Garments(num_train=4, size=8).train
    assert len(drawn) == calls + 1
    assert torch.equal(again[0], whole[0])


def test_without_a_cache_garments_are_drawn_with_a_warning(drawn: list[int], cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="FREEDIVE_CACHE"):
        assert len(Garments(num_train=4, size=8).train[0]) == 4


def test_augmented_data_are_the_same_data(drawn: list[int], given: Path) -> None:
    asked = {"crop": 3, "flip": True, "cutout": 4, "mixup": 0.2}
    small = {"num_train": 20, "num_val": 5, "size": 28}
    for plain, data in (
        (Small(), Small(**asked)),
        (Garments(**small), Garments(**small, **asked)),
    ):
        assert {name: data.hparams[name] for name in asked} == asked
        assert data.fingerprint() == plain.fingerprint()
        assert data.model_arguments() == plain.model_arguments()
        ((X, y),), ((X_val, y_val),) = data.train_dataloader(), data.val_dataloader()
        assert (X.shape, y.shape) == ((20, 1, 28, 28), (20, 10))
        torch.testing.assert_close(X_val, plain.val[0] / 255)
        assert torch.equal(y_val, plain.val[1])
    with pytest.raises(UsageError, match="crop wants 0 to 27 pixels for images of 28×28, got 28"):
        Small(crop=28).train_dataloader()


def test_real_garments_fit_in() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = Garments(num_train=20, num_val=10, batch_size=10)
        images, labels = next(iter(data.val_dataloader()))
    assert images.shape == (10, 1, 28, 28)
    assert sorted(labels.tolist()) == list(range(10))
    assert 0.02 < float(images.mean()) < 0.9


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> FashionMNIST:
    if not REAL or not (Path(REAL) / "fashion-mnist").is_dir():
        pytest.skip("FREEDIVE_DATA names no folder with fashion-mnist")
    monkeypatch.setenv("FREEDIVE_DATA", REAL)
    return FashionMNIST()


def test_the_published_files_are_what_they_should_be(real: FashionMNIST) -> None:
    for (images, labels), count in ((real.train, 60_000), (real.val, 10_000)):
        assert images.shape == (count, 1, 28, 28)
        assert torch.equal(labels.bincount(), torch.full((10,), count // 10))
    # the values that the authors of the data set publish for normalising
    mean = real.train[0].double().mean() / 255
    assert float(mean) == pytest.approx(0.2860, abs=1e-4)
    assert real.text_labels(real.train[1][:3]) == ["ankle boot", "t-shirt", "t-shirt"]
