"""The IDX reader against bytes packed by hand."""

import gzip
import struct
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freedive.core.errors import DataError
from freedive.data.idx import check_labelled, read_idx


def packed(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


@given(st.tuples(*[st.integers(0, 5)] * 3), st.booleans())
def test_images_of_any_size_are_read(shape: tuple[int, int, int], zipped: bool) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    data = gzip.compress(packed(array)) if zipped else packed(array)
    images = read_idx(data, "images", axes=3)
    assert images.dtype == torch.uint8
    np.testing.assert_array_equal(images.numpy(), array)


def test_labels_are_read_and_can_be_written() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = read_idx(packed(np.array([3, 250])), "labels", axes=1)
    labels[0] = 7
    assert labels.tolist() == [7, 250]


WHOLE = packed(np.zeros((2, 3, 3)))
ZIPPED = gzip.compress(WHOLE, mtime=0)
BAD = {
    "nothing": (b"", "at least 16 bytes of IDX header, found 0"),
    "half a header": (WHOLE[:9], "at least 16 bytes of IDX header, found 9"),
    "cut off": (WHOLE[:-1], "cut off: its header promises 34 bytes, found 33"),
    "too long": (WHOLE + b"x", "after its end: its header promises 34 bytes, found 35"),
    "labels": (packed(np.zeros(30)), r"0x00000803 \(images\), found 0x00000801 \(labels\)"),
    "other bytes": (b"PK\x03\x04" + bytes(30), "found 0x504b0304"),
    "floats": (bytes([0, 0, 13, 3]) + bytes(30), "found 0x00000d03"),
    "cut-off gzip": (ZIPPED[:-12], "damaged or cut-off gzip"),
    "damaged gzip": (ZIPPED[:12] + b"\xff" * 8 + ZIPPED[20:], "damaged or cut-off gzip"),
    "a gzip with nothing else": (b"\x1f\x8b", "damaged or cut-off gzip"),
    "HTML": (b"\n <!doctype html><p>404", "HTML page"),
    "HTML without doctype": (b"<HTML><p>404", "HTML page"),
    "a huge promise": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_file_is_named(name: str) -> None:
    data, fault = BAD[name]
    with pytest.raises(DataError, match=fault) as caught:
        read_idx(data, "my folder/train-images", axes=3)
    assert str(caught.value).startswith("my folder/train-images")
    assert "\n" not in str(caught.value)


def test_images_and_labels_must_belong_together() -> None:
    images = torch.zeros(3, 2, 2, dtype=torch.uint8)
    check_labelled(images, torch.tensor([0, 9, 5]), 10, "set")
    with pytest.raises(DataError, match="3 images and 4 labels"):
        check_labelled(images, torch.zeros(4, dtype=torch.uint8), 10, "set")
    with pytest.raises(DataError, match="3 images and 2 labels"):
        check_labelled(images, torch.zeros(2, dtype=torch.uint8), 10, "set")
    with pytest.raises(DataError, match="from 0 to 9, got 10 at index 1"):
        check_labelled(images, torch.tensor([0, 10, 99], dtype=torch.uint8), 10, "set")
    with pytest.raises(DataError, match="got -1 at index 2"):
        check_labelled(images, torch.tensor([0, 1, -1]), 10, "set")
    with pytest.raises(DataError, match="holds no images"):
        check_labelled(images[:0], torch.zeros(0), 10, "set")
