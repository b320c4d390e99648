"""A user's own images: files in MNIST's format, or folders of pictures, one a class."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.data.idx import check_labelled, read_idx
from freedive.data.images import LabelledImages, Split
from freedive.data.store import RemoteFile, read_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
VALIDATION_SHARE = 5  # one picture in so many, where the folder does not say which
TRAIN_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
VAL_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class OwnImages(LabelledImages):
    """The images of a folder, as grey-scale.

    The folder holds either the four files of MNIST's format (``train-images-idx3-ubyte``,
    ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte``; plain or
    ``.gz``), or pictures: ``train/CLASS/*`` and ``val/CLASS/*`` (or ``test/CLASS/*``). Without
    ``train``, the classes are the folder's own folders; without ``val`` and ``test``, every
    fifth file of a class, by name, is for validation. Pictures become ``resize`` × ``resize``,
    or 28×28.

    Args:
        folder: of the files.
        resize: height and width of the images of a batch; None makes pictures 28×28.
    """

    name = "own-images"

    def __init__(
        self,
        folder: str | Path,
        batch_size: Count = 256,
        resize: Count | None = None,
        crop: Whole = 0,
        flip: bool = False,
        cutout: Whole = 0,
        mixup: NonNegative = 0.0,
    ):
        super().__init__(batch_size, resize, crop, flip, cutout, mixup)
        folder = str(folder)  # a record of the settings holds plain values
        self.save_hyperparameters(ignore=["folder"])
        self.hparams["folder"] = folder
        self.folder = Path(folder).expanduser()
        _listed(self.folder)

    @cached_property
    def is_idx(self) -> bool:
        """Whether the folder holds files of MNIST's format rather than pictures."""
        return any(_idx_path(self.folder, name) for name in TRAIN_FILES + VAL_FILES)

    @cached_property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the class folders, sorted; the numbers that are labels in IDX files."""
        if self.is_idx:
            labels = self._read_idx(TRAIN_FILES[1], axes=1)
            return tuple(str(i) for i in range(int(labels.max()) + 1 if len(labels) else 0))
        root, _ = self._roots
        names = _class_folders(root)
        if not names:
            raise DataError(
                f"{root} holds no class folders: give one folder of pictures for each class, "
                "or the four files of MNIST's format"
            )
        return names

    def load(self, train: bool) -> Split:
        """The images of one split."""
        if not self.is_idx:
            return self._load_pictures(train)
        files = TRAIN_FILES if train else VAL_FILES
        images, labels = (self._read_idx(f, a) for f, a in zip(files, (3, 1), strict=True))
        check_labelled(images, labels, len(self.class_names), f"{self.folder}: {files[1]}")
        return images.unsqueeze(1), labels.long()

    def fingerprint(self) -> str:
        """The name with the SHA-256 of all images and labels."""
        digest = hashlib.sha256()
        for column in (*self.train, *self.val):
            digest.update(column.numpy().data)
        return f"{self.name}:{digest.hexdigest()}"

    def _read_idx(self, name: str, axes: int) -> UInt8[Tensor, "..."]:
        path = _idx_path(self.folder, name)
        if path is None:
            raise DataError(f"{self.folder} lacks {name} (plain or .gz): add it to the others")
        return read_idx(read_bytes(path), str(path), axes)

    @cached_property
    def _roots(self) -> tuple[Path, Path | None]:
        """Where the class folders of the two splits are; None where validation has none."""
        train = self.folder / "train"
        if not train.is_dir():
            return self.folder, None
        return train, next((f for n in ("val", "test") if (f := self.folder / n).is_dir()), None)

    def _files(self, train: bool) -> list[list[Path]]:
        """The pictures of one split, a list for each class."""
        train_root, val_root = self._roots
        if train or val_root is None:
            files = [_pictures(train_root / name) for name in self.class_names]
            if val_root is None:
                last = VALIDATION_SHARE - 1
                return [
                    [f for i, f in enumerate(own) if (i % VALIDATION_SHARE == last) != train]
                    for own in files
                ]
            return files
        strange = sorted(set(_class_folders(val_root)) - set(self.class_names))
        if strange:
            raise DataError(
                f"{val_root} has the class {strange[0]!r}, which {train_root} has not: "
                "use the same class folders in both"
            )
        folders = [val_root / name for name in self.class_names]
        return [_pictures(folder) if folder.is_dir() else [] for folder in folders]

    def _load_pictures(self, train: bool) -> Split:
        files = self._files(train)
        counts = torch.tensor([len(own) for own in files])
        if not counts.sum():
            kind = "training" if train else "validation"
            raise DataError(
                f"{self.folder} holds no {kind} pictures ({', '.join(SUFFIXES)}): "
                f"add some, at least {VALIDATION_SHARE} a class where there is no val folder"
            )
        size = self.resize or 28
        images = torch.cat([read_picture(path, size) for own in files for path in own])
        return images, torch.arange(len(files)).repeat_interleave(counts)


def read_picture(
    path: str | Path, size: int, channels: int = 1
) -> UInt8[Tensor, "1 channels size size"]:
    """Read one picture file as a batch of one image: grey for one channel, RGB for three.

    Transparent parts become black, the background of the images in the MNIST family.

    Raises:
        DataError: where the file is missing or no picture.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: give one picture file")
    if not path.exists():
        raise DataError(f"{path} does not exist: give a picture file, such as a PNG")
    try:
        with Image.open(path) as opened:
            image = _eight_bit(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"cannot read {path} as a picture ({type(error).__name__}): give a PNG or JPEG file"
        ) from None
    image = image.convert("L" if channels == 1 else "RGB")
    pixels = np.array(image.resize((size, size), Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels).reshape(1, size, size, channels).permute(0, 3, 1, 2)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The same picture without transparency and with at most 8 bits a channel."""
    if image.mode.startswith("I;16"):  # Pillow itself would clip instead of scale
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("RGB")


def _listed(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without hidden files."""
    if not folder.is_dir():
        fault = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {fault}: give a folder of images")
    try:
        paths = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"cannot read the folder {folder} ({error.strerror}): change its permissions"
        ) from None
    if not paths:
        raise DataError(f"{folder} is empty: give a folder of images")
    return paths


def _pictures(folder: Path) -> list[Path]:
    return [p for p in _listed(folder) if p.suffix.lower() in SUFFIXES]


def _class_folders(root: Path) -> tuple[str, ...]:
    return tuple(p.name for p in _listed(root) if p.is_dir())


def _idx_path(folder: Path, name: str) -> Path | None:
    return RemoteFile(name, sha256="").within(folder)
