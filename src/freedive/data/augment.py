"""Random changes of training images, a whole batch at a time (section 14.1).

All take batches of bytes or floats on any device. What is drawn comes from the given generator
alone, on its own device, so that a CPU generator draws the same for every device.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, Real
from torch import Tensor
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Positive, check_arguments
from freedive.core.loader import Batch

Images = Real[Tensor, "n channels height width"]


def random_flip(images: Images, generator: torch.Generator) -> Images:
    """Mirror each image left to right, or leave it, with equal chance (section 14.1.1.1)."""
    n = len(images)
    mirrored = _drawn(2, (n,), generator)
    rows = (torch.arange(n, device=mirrored.device) + n * mirrored).to(images.device)
    return torch.cat([images, images.flip(-1)]).index_select(0, rows)


def random_crop(images: Images, padding: int, generator: torch.Generator) -> Images:
    """Frame each image with zeros and cut one of its size out, each place with equal chance.

    Padded images are one long row of pixels, in which a crop begins at one of its places and goes
    on with the same strides: a window of that row, and a batch is one selection of windows.

    Args:
        images: of any size above ``padding``.
        padding: width of the frame in pixels.
        generator: of the places.

    Raises:
        UsageError: nothing of an image might be left.
    """
    check_pixels("crop", padding, images)
    n, _, height, width = images.shape
    # one image more, for the windows of the last one reach beyond it
    padded = F.pad(images, (padding, padding, padding, padding, 0, 0, 0, 1))
    size = padded.shape[1:].numel()
    top, left = _drawn(2 * padding + 1, (2, n), generator)
    images_begin = torch.arange(0, n * size, size, device=top.device)
    first = images_begin + top * padded.shape[-1] + left
    windows, first = padded.flatten().unfold(0, size, 1), first.to(images.device)
    # index_select is by far the fastest on the CPU, but MPS would write all the windows out first
    chosen = windows.index_select(0, first) if images.device.type == "cpu" else windows[first]
    return chosen.unflatten(1, padded.shape[1:])[..., :height, :width].contiguous()


def cutout(images: Images, size: int, generator: torch.Generator) -> Images:
    """Set a square to zero in each image, around a pixel of equal chance (arXiv:1708.04552).

    As in the paper, the square may reach beyond the border, and then takes less.

    Args:
        images: of any size above ``size``.
        size: side of the square in pixels.
        generator: of the places.

    Raises:
        UsageError: nothing of an image might be left.
    """
    check_pixels("cutout", size, images)
    n, channels, height, width = images.shape
    rows, columns = (_stretches(side, size, n, generator) for side in (height, width))
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1).to(images.device)
    every_channel = pixels[:, None].expand(n, channels, size**2)
    return images.flatten(2).scatter(2, every_channel, 0).reshape(images.shape)


def mixup(
    images: Images,
    labels: Int64[Tensor, " n"],
    num_classes: int,
    alpha: Positive,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n channels height width"], Float[Tensor, "n {num_classes}"]]:
    """λx + (1 − λ)x′, where x′ is another example of the batch, for images and labels alike.

    Labels become probabilities. λ ~ Beta(α, α) is drawn once a batch, as in the authors' program
    (arXiv:1710.09412): each example's λ has the same distribution, and one number serves all.

    Args:
        images: bytes become floats from 0 to 255.
        labels: classes.
        num_classes: columns of the probabilities.
        alpha: small values leave most batches nearly as they are, 1 mixes evenly.
        generator: of λ and of the partners.

    Raises:
        UsageError: ``alpha`` is not a number above 0.
    """
    check_arguments(mixup, {"alpha": alpha})
    seed = int(_drawn(2**63 - 1, (), generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))  # torch's takes no generator
    order = torch.randperm(len(images), generator=generator, device=generator.device)
    partners = order.to(images.device)
    pixels = images if images.is_floating_point() else images.float()
    probabilities = F.one_hot(labels, num_classes).float()
    mixed_images, mixed_labels = (
        x.index_select(0, partners).lerp_(x, share) for x in (pixels, probabilities)
    )
    return mixed_images, mixed_labels


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training batch: flip, crop, cutout, mixup, in this order; none by default.

    Attributes:
        crop: padding of `random_crop`.
        flip: whether `random_flip` is done. It comes first: a crop is as likely as its mirror
            image, and a flip of whole images is faster.
        cutout: size of `cutout`.
        mixup: α of `mixup`.
        num_classes: columns of the labels that `mixup` makes.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0
    num_classes: int = 0

    def __bool__(self) -> bool:
        return bool(self.crop or self.flip or self.cutout or self.mixup)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch changed as it is asked for; the given tensors stay as they are."""
        images, labels = batch
        if self.flip:
            images = random_flip(images, generator)
        if self.crop:
            images = random_crop(images, self.crop, generator)
        if self.cutout:
            images = cutout(images, self.cutout, generator)
        if self.mixup:
            return mixup(images, labels, self.num_classes, self.mixup, generator)
        return images, labels


def check_pixels(name: str, pixels: int, images: Images) -> None:
    """Refuse a frame or a square as large as the images: nothing of one might be left."""
    height, width = images.shape[-2:]
    largest = min(height, width) - 1
    if not 0 <= pixels <= largest:
        raise UsageError(
            f"{name} wants 0 to {largest} pixels for images of {height}×{width}, got {pixels}"
        )


def _drawn(high: int, shape: tuple[int, ...], generator: torch.Generator) -> Int64[Tensor, "..."]:
    """Whole numbers from 0 to below ``high``, each with equal chance."""
    return torch.randint(high, shape, generator=generator, device=generator.device)


def _stretches(side: int, size: int, n: int, generator: torch.Generator) -> Int[Tensor, "n size"]:
    """``size`` pixels of an axis around one drawn for each image.

    What lies beyond the border falls on its outermost pixel, which then is among them anyway.
    """
    centres = _drawn(side, (n, 1), generator)
    offsets = torch.arange(size, device=centres.device) - size // 2
    return (centres + offsets).clamp(0, side - 1)
