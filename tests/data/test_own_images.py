"""A user's own images: folders of pictures, IDX files, single pictures."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from freedive.core.errors import DataError, UsageError
from freedive.data.fashion_mnist import CONTENTS
from freedive.data.own_images import OwnImages, read_picture

NAMES = tuple(CONTENTS)


def idx(values: Tensor) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def picture(path: Path, value: int, size: tuple[int, int] = (5, 7), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value,) * len(mode)).save(path)


@pytest.mark.parametrize("val", ["val", "test"])
def test_own_pictures_with_a_validation_folder(tmp_path: Path, val: str) -> None:
    root = tmp_path / "mes images à moi"
    for i, name in enumerate(("zèbre", "ant", "bee")):
        picture(root / "train" / name / "1.png", 10 * i)
        picture(root / "train" / name / "2.JPG", 10 * i + 1)
    picture(root / val / "bee" / "3.png", 99, mode="RGB")
    (root / "train" / "ant" / "notes.txt").write_text("no picture")
    (root / "train" / ".hidden").mkdir()
    data = OwnImages(root, resize=6)
    assert data.class_names == ("ant", "bee", "zèbre")
    images, labels = data.train
    assert images.shape == (6, 1, 6, 6)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images[:, 0, 0, 0].tolist() == pytest.approx([10, 11, 20, 21, 0, 1], abs=1)
    assert data.val[0].unique().tolist() == [99]
    assert data.val[1].tolist() == [1]
    assert data.model_arguments()["num_outputs"] == 3
    assert data.hparams["folder"] == str(root)
    assert data.fingerprint() == OwnImages(root, resize=6).fingerprint()


def test_every_fifth_own_picture_is_for_validation(tmp_path: Path) -> None:
    for i in range(11):
        picture(tmp_path / "a" / f"{i:02}.png", i)
    picture(tmp_path / "b" / "only.png", 100)
    data = OwnImages(tmp_path)
    assert data.val[0][:, 0, 0, 0].tolist() == [4, 9]
    assert data.train[0][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10, 100]
    assert data.train[1].tolist() == [0] * 9 + [1]
    assert data.train[0].shape[1:] == (1, 28, 28)


def test_own_idx_files_need_no_hash(tmp_path: Path) -> None:
    columns = (
        torch.zeros(4, 3, 3),
        torch.tensor([0, 1, 2, 5]),
        torch.ones(5, 3, 3),
        torch.arange(5),
    )
    folder = put(tmp_path / "own", dict(zip(NAMES, map(idx, columns), strict=True)))
    data = OwnImages(folder)
    assert data.train[0].shape == (4, 1, 3, 3)
    assert data.class_names == tuple("012345")
    assert data.val[1].tolist() == [0, 1, 2, 3, 4]
    (folder / NAMES[3]).write_bytes(idx(torch.tensor([0, 1, 2, 3, 6])))
    with pytest.raises(DataError, match="got 6 at index 4"):
        _ = OwnImages(folder).val
    (folder / NAMES[2]).unlink()
    with pytest.raises(DataError, match=f"lacks {NAMES[2]}"):
        _ = OwnImages(folder).val


def test_own_pictures_are_augmented_for_training_alone(tmp_path: Path) -> None:
    for i in range(10):
        picture(tmp_path / ("ab"[i % 2]) / f"{i}.png", 100 + i)
    plain = OwnImages(tmp_path, resize=6)
    data = OwnImages(tmp_path, resize=6, crop=2, flip=True, cutout=3, mixup=0.5)
    assert data.fingerprint() == plain.fingerprint()
    ((X, y),), ((X_val, y_val),) = data.train_dataloader(), data.val_dataloader()
    assert (X.shape, y.shape) == ((8, 1, 6, 6), (8, 2))
    torch.testing.assert_close(y.sum(1), torch.ones(8))
    torch.testing.assert_close(X_val, data.val[0] / 255)
    assert torch.equal(y_val, data.val[1])
    with pytest.raises(UsageError, match="cutout wants 0 to 5 pixels for images of 6×6, got 6"):
        OwnImages(tmp_path, resize=6, cutout=6).train_dataloader()


def test_folders_that_hold_no_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        OwnImages(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        OwnImages(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is empty"):
        OwnImages(tmp_path / "empty")
    with pytest.raises(DataError, match="no class folders"):
        _ = OwnImages(put(tmp_path / "flat", {"a.txt": b""})).train
    put(tmp_path / "unsuitable" / "a", {"a.txt": b""})
    with pytest.raises(DataError, match="no training pictures"):
        _ = OwnImages(tmp_path / "unsuitable").train
    picture(tmp_path / "few" / "a" / "1.png", 1)
    with pytest.raises(DataError, match="no validation pictures"):
        _ = OwnImages(tmp_path / "few").val
    picture(tmp_path / "strange" / "train" / "a" / "1.png", 1)
    picture(tmp_path / "strange" / "val" / "b" / "1.png", 1)
    with pytest.raises(DataError, match="class 'b'"):
        _ = OwnImages(tmp_path / "strange").val


def test_a_picture_is_read_as_bytes_of_the_asked_size(tmp_path: Path) -> None:
    path = tmp_path / "à b.png"
    picture(path, 40, mode="RGB")
    assert read_picture(path, 3).tolist() == [[[[40] * 3] * 3]]
    assert read_picture(str(path), 4, channels=3).shape == (1, 3, 4, 4)
    pixels = np.arange(20, dtype=np.uint8).reshape(4, 5)[:, :4]
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_picture(path, 4)[0, 0], pixels)


def test_unusual_pictures_are_read_as_they_look(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 32768, np.uint16)).save(tmp_path / "deep.png")
    assert read_picture(tmp_path / "deep.png", 2).unique().tolist() == [128]
    Image.new("RGBA", (2, 2), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png", 2).unique().tolist() == [0]
    upright = Image.fromarray(np.array([[0, 255]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    upright.save(tmp_path / "turned.png", exif=exif)
    assert read_picture(tmp_path / "turned.png", 2)[0, 0].tolist() == [[255, 0], [255, 0]]


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, {"bad.png": content})
    with pytest.raises(DataError, match=r"bad\.png as a picture"):
        read_picture(tmp_path / "bad.png", 28)
    with pytest.raises(DataError, match="is a folder"):
        read_picture(tmp_path, 28)
    with pytest.raises(DataError, match="does not exist"):
        read_picture(tmp_path / "none.png", 28)
