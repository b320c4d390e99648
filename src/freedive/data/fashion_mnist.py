"""Fashion-MNIST (section 4.2), and the drawn garments that stand in for it."""

import logging
import warnings
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from freedive.core.errors import DataError
from freedive.core.files import StorageError, write_whole
from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.random import derived_seed
from freedive.data.fetch import unpacked
from freedive.data.garments import CLASSES, VERSION, draw_garments, garment_labels
from freedive.data.idx import check_labelled, read_idx
from freedive.data.images import LabelledImages, Split
from freedive.data.store import (
    Collection,
    RemoteFile,
    Source,
    cache_dir,
    read_bytes,
)

log = logging.getLogger(__name__)

MIRRORS = (
    "http://d2l-data.s3-accelerate.amazonaws.com/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
CONTENTS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
COLUMNS = ("images", "labels")  # of a kept drawing


class FashionMNIST(LabelledImages):
    """Fashion-MNIST: 60,000 and 10,000 grey images of ten kinds of clothes, 28×28 pixels."""

    name = "fashion-mnist"
    standin = "garments"
    class_names = CLASSES
    image_shape = (1, 28, 28)
    collection = Collection(
        name, tuple(RemoteFile(file, digest, MIRRORS) for file, digest in CONTENTS.items())
    )

    @classmethod
    def availability(cls, download: bool = True) -> Source | None:
        """Where the files would come from, without loading them; None where from nowhere."""
        return cls.collection.source(download)

    def load(self, train: bool) -> Split:
        """One split, from FREEDIVE_DATA, the cache or a mirror; its files are verified."""
        files = self.collection.files[:2] if train else self.collection.files[2:]
        paths = [self.collection.obtain(file) for file in files]
        contents = [unpacked(read_bytes(path), str(path)) for path in paths]
        images = read_idx(contents[0], str(paths[0]), axes=3)
        labels = read_idx(contents[1], str(paths[1]), axes=1)
        check_labelled(images, labels, len(self.class_names), str(paths[1]))
        for file, path, content in zip(files, paths, contents, strict=True):
            if not file.matches(content):
                raise DataError(
                    f"{path} is not the published Fashion-MNIST (its SHA-256 is another): "
                    "train on files of your own with --data FOLDER"
                )
        return images.unsqueeze(1), labels.long()

    def fingerprint(self) -> str:
        """The name with the SHA-256 of each file's content."""
        return f"{self.name}:{'+'.join(file.sha256 for file in self.collection.files)}"


class Garments(LabelledImages):
    """Ten kinds of clothes drawn by code: Fashion-MNIST's stand-in, needing no file.

    Drawn once and kept in the cache. Training and validation images are drawn from separate
    streams of the seed.

    Args:
        data_seed: of the drawing.
        num_train: training images.
        num_val: validation images.
        size: height and width at which they are drawn.
    """

    name = "garments"
    synthetic = True
    class_names = CLASSES
    data_seed: int
    num_train: int
    num_val: int
    size: int

    def __init__(
        self,
        batch_size: Count = 256,
        resize: Count | None = None,
        data_seed: Whole = 0,
        num_train: Count = 60_000,
        num_val: Count = 10_000,
        size: Count = 28,
        crop: Whole = 0,
        flip: bool = False,
        cutout: Whole = 0,
        mixup: NonNegative = 0.0,
    ):
        super().__init__(batch_size, resize, crop, flip, cutout, mixup)
        self.save_hyperparameters()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width as drawn."""
        return 1, self.size, self.size

    def load(self, train: bool) -> Split:
        """One split, from the cache or drawn anew."""
        num_images = self.num_train if train else self.num_val
        path = self._path(train)
        split = _read_split(path, (num_images, *self.image_shape))
        if split is None:
            split = self._draw(train, num_images)
            try:
                write_whole(path, safetensors.torch.save(dict(zip(COLUMNS, split, strict=True))))
            except StorageError as error:
                warnings.warn(
                    f"garments are drawn anew each time ({error}): "
                    "set FREEDIVE_CACHE to a folder that can be written",
                    stacklevel=2,
                )
        return split

    def fingerprint(self) -> str:
        """The name with the version of the drawing and all that it depends on."""
        counts = f"{self.num_train}+{self.num_val}"
        return f"{self.name}:{VERSION}:seed={self.data_seed}:size={self.size}:{counts}"

    def _path(self, train: bool) -> Path:
        split = f"train-{self.num_train}" if train else f"val-{self.num_val}"
        file = f"{VERSION}-{self.data_seed}-{self.size}-{split}.safetensors"
        return cache_dir() / self.name / file

    def _draw(self, train: bool, num_images: int) -> Split:
        log.info("drawing %s garments, once: they are kept in the cache", f"{num_images:,}")
        seed = derived_seed(self.data_seed, 0 if train else 1)
        labels = garment_labels(num_images, seed)
        return draw_garments(labels, size=self.size, seed=seed), labels


def _read_split(path: Path, shape: tuple[int, ...]) -> Split | None:
    """What an earlier run has kept; None where there is nothing, or nothing whole."""
    try:
        columns = safetensors.torch.load(path.read_bytes())
        images, labels = (columns[name] for name in COLUMNS)
    except (OSError, SafetensorError, KeyError):
        return None
    whole = images.shape == shape and labels.shape == shape[:1]
    typed = images.dtype == torch.uint8 and labels.dtype == torch.int64
    return (images, labels) if whole and typed else None
