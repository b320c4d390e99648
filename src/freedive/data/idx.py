"""The IDX format of the MNIST family: a magic number, the sizes, then the bytes."""

import math
import struct

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from freedive.core.errors import DataError
from freedive.data.fetch import unpacked

UNSIGNED_BYTES = 0x0800  # the lowest byte of the magic number counts the axes
KINDS = {0x0801: "labels", 0x0803: "images"}


def read_idx(data: bytes, where: str, axes: int) -> UInt8[Tensor, "..."]:
    """Read an IDX file of unsigned bytes, gzipped or plain.

    Args:
        data: the file's bytes.
        where: its name, for errors.
        axes: 3 for images, 1 for labels.

    Returns:
        A tensor of the sizes that the file declares.

    Raises:
        DataError: where the bytes are not exactly such a file.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "two labels", axes=1)
    tensor([7, 9], dtype=torch.uint8)
    """
    content = unpacked(data, where)
    start = 4 + 4 * axes
    magic = UNSIGNED_BYTES + axes
    found = int.from_bytes(content[:4], "big")
    if len(content) >= 4 and found != magic:
        raise DataError(
            f"{where} wants the IDX magic number {_kind(magic)}, found {_kind(found)}: "
            "check that the files have their right names"
        )
    if len(content) < start:
        raise DataError(
            f"{where} wants at least {start} bytes of IDX header, found {len(content)}: "
            "get the file again"
        )
    shape = struct.unpack_from(f">{axes}I", content, 4)
    wanted = start + math.prod(shape)
    if len(content) != wanted:
        fault = "is cut off" if len(content) < wanted else "has bytes after its end"
        raise DataError(
            f"{where} {fault}: its header promises {wanted} bytes, found {len(content)}: "
            "get the file again"
        )
    if wanted == start:
        return torch.empty(shape, dtype=torch.uint8)
    # a bytearray can be written, as tensors are expected to
    body = bytearray(memoryview(content)[start:])
    return torch.frombuffer(body, dtype=torch.uint8).reshape(shape)


def check_labelled(
    images: UInt8[Tensor, "n ..."], labels: Integer[Tensor, " m"], num_classes: int, where: str
) -> None:
    """Raise `DataError` unless there is one label an image, and each names a class."""
    if len(images) != len(labels):
        raise DataError(
            f"{where} wants one label an image, got {len(images)} images and {len(labels)} labels: "
            "use the two files of one set"
        )
    if len(images) == 0:
        raise DataError(f"{where} holds no images: give at least one")
    labels = labels.long()  # a byte cannot be compared with 256
    wrong = ((labels < 0) | (labels >= num_classes)).nonzero()
    if len(wrong):
        index = int(wrong[0])
        raise DataError(
            f"{where} wants labels from 0 to {num_classes - 1}, got {int(labels[index])} "
            f"at index {index}: correct the labels"
        )


def _kind(magic: int) -> str:
    return f"0x{magic:08x}" + (f" ({KINDS[magic]})" if magic in KINDS else "")
