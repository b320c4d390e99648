"""What all sets of labelled images share (section 4.2): raw bytes kept, batches made on the fly."""

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float, Int, Int64, Real, UInt8
from torch import Tensor
from torch.nn import functional as F

from freedive.core.data import DataModule
from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.loader import Batch, TensorLoader
from freedive.core.random import generator
from freedive.data.augment import Augmentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Split = tuple[UInt8[Tensor, "n channels height width"], Int64[Tensor, " n"]]


class LabelledImages(DataModule):
    """Base of image sets: images stay bytes in memory, and a batch becomes floats in [0, 1].

    A subclass writes `load` and has `class_names`.

    Args:
        batch_size: images per batch.
        resize: height and width of the images of a batch; None leaves them as they are.
        crop: frame training images with so many black pixels, and cut their own size out at a
            random place; in pixels before resizing.
        flip: mirror each training image left to right, or not, with equal chance.
        cutout: blacken a square of this side at a random place of each training image; in pixels
            before resizing.
        mixup: α of Beta(α, α), from which the shares come in which training images, and their
            labels, are mixed in pairs.
    """

    task = "labelled images"
    standin: ClassVar[str | None] = None  # the data set to take where this one cannot be had
    class_names: tuple[str, ...]
    resize: int | None
    crop: int
    flip: bool
    cutout: int
    mixup: float

    def __init__(
        self,
        batch_size: Count = 256,
        resize: Count | None = None,
        crop: Whole = 0,
        flip: bool = False,
        cutout: Whole = 0,
        mixup: NonNegative = 0.0,
    ):
        self.save_hyperparameters()

    def load(self, train: bool) -> Split:
        """The training or the validation images and their labels."""
        raise NotImplementedError(f"{type(self).__name__} wants a load(train)")

    @cached_property
    def train(self) -> Split:
        """The images to learn from and their labels, loaded on first use."""
        return self.load(train=True)

    @cached_property
    def val(self) -> Split:
        """The images to judge by and their labels, loaded on first use."""
        return self.load(train=False)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images as they are stored."""
        channels, height, width = self.train[0].shape[1:]
        return channels, height, width

    @property
    def augmentation(self) -> Augmentation:
        """What is done to training batches."""
        return Augmentation(
            self.crop, self.flip, self.cutout, self.mixup, num_classes=len(self.class_names)
        )

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of images (float, in [0, 1]) and labels.

        Those for training are shuffled and augmented; mixup makes probabilities of their labels.

        Raises:
            UsageError: the images are too small for the crop or the cutout that is asked for.
        """
        images, labels = columns = self.train if train else self.val
        augment = (self.augmentation or None) if train else None
        if augment:  # on no image at all: what cannot be done is refused before training begins
            augment((images[:0], labels[:0]), generator(0))
        transform = partial(_batch, size=self.resize)
        return TensorLoader(
            columns, self.batch_size, shuffle=train, transform=transform, augment=augment
        )

    def model_arguments(self) -> dict[str, Any]:
        """The sizes that a classifier of these images must have."""
        channels, height, width = self.image_shape
        if self.resize:
            height = width = self.resize
        num_classes = len(self.class_names)
        return {
            "num_inputs": channels * height * width,
            "num_outputs": num_classes,
            "num_classes": num_classes,
            "in_channels": channels,
            "image_size": height,
        }

    def fingerprint(self) -> str:
        """The name and the settings, but for how training batches are augmented."""
        kept = {k: v for k, v in self.hparams.items() if k not in vars(Augmentation())}
        return f"{self.name}:{kept}"

    def text_labels(self, indices: Iterable[int] | Int[Tensor, " n"]) -> list[str]:
        """The names of classes given by their numbers."""
        return [self.class_names[int(i)] for i in indices]

    def visualize(
        self,
        batch: Batch,
        nrows: int = 1,
        ncols: int = 8,
        labels: Sequence[str] | None = None,
    ) -> "Figure":
        """A figure of the first images of a batch, titled with their classes or other labels.

        Needs no display: show it in a notebook, or keep it with ``savefig``.
        """
        from matplotlib.figure import Figure

        images, classes = batch
        titles = self.text_labels(classes[: nrows * ncols]) if labels is None else labels
        pictures = images[: nrows * ncols].permute(0, 2, 3, 1).cpu().numpy()
        figure = Figure(figsize=(1.5 * ncols, 1.7 * nrows), layout="constrained")
        axes = figure.subplots(nrows, ncols, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, picture in zip(axes.flat, pictures, strict=False):
            ax.imshow(picture, cmap="gray")  # a single channel is squeezed, three are RGB
        for ax, title in zip(axes.flat, titles, strict=False):
            ax.set_title(title)
        return figure


def as_floats(
    images: Real[Tensor, "n channels height width"], size: int | None = None
) -> Float[Tensor, "n channels new_height new_width"]:
    """Bytes (or floats in 0 … 255) to floats in [0, 1], resized bilinearly to ``size`` × ``size``.

    Both steps are linear, so that to mix images before them, as mixup does, is to mix them after.
    """
    # two plain steps are faster than one that mixes types
    floats = images.to(torch.float32, copy=True).mul_(1 / 255)
    height, width = images.shape[-2:]
    if size is None or height == width == size:
        return floats
    if floats.device.type != "cpu":
        return F.interpolate(floats, size=(size, size), mode="bilinear")
    # bilinear is linear in each axis: two products are 1.3 times as fast as F.interpolate
    rows = _axis_weights(height, size, floats.dtype)
    columns = _axis_weights(width, size, floats.dtype)
    with torch.autocast("cpu", enabled=False):  # which would round the pixels to bfloat16
        return rows @ (floats @ columns.T)


@lru_cache(maxsize=16)
def _axis_weights(size: int, new_size: int, dtype: torch.dtype) -> Float[Tensor, "new_size size"]:
    """The matrix that resizes one axis linearly: each column is a resized unit vector."""
    units = torch.eye(size, dtype=dtype, device="cpu")
    return F.interpolate(units[None], size=new_size, mode="linear")[0].T.contiguous()


def _batch(columns: Batch, size: int | None) -> Batch:
    images, labels = columns
    return as_floats(images, size), labels
