"""Random changes of images, each against a slow loop over all that it may do."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.data.augment import Augmentation, cutout, mixup, random_crop, random_flip

DTYPES = [torch.uint8, torch.float32, torch.float16, torch.bfloat16, torch.float64]
SHAPES = [(0, 1, 5, 5), (1, 1, 2, 2), (1, 3, 4, 9), (7, 3, 9, 4), (5, 1, 28, 28)]
FITTING = [(shape, pixels) for shape in SHAPES for pixels in range(4) if pixels < min(shape[2:])]
ALTERED: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "flip": random_flip,
    "crop": lambda images, chance: random_crop(images, 1, chance),
    "cutout": lambda images, chance: cutout(images, 1, chance),
    "mixup": lambda images, chance: mixup(images, numbers(images), 9, 0.4, chance)[0],
}


def numbers(images: Tensor) -> Tensor:
    """A class of its own for each image."""
    return torch.arange(len(images), device=images.device)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Pixels from 1 to 255: none is zero, as the frame and the square are."""
    return torch.randint(1, 256, shape, generator=chance(9)).to(dtype)


def as_drawn(count: Tensor, trials: int, share: float) -> bool:
    """Whether counts lie within five standard errors of a share of all trials."""
    return bool((count - trials * share).abs().max() < 5 * math.sqrt(trials * share * (1 - share)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "padding"), FITTING)
def test_a_crop_is_a_slice_of_the_padded_image(
    shape: tuple[int, ...], padding: int, dtype: torch.dtype
) -> None:
    images = noise(*shape, dtype=dtype)
    cropped = random_crop(images, padding, chance())
    assert (cropped.shape, cropped.dtype) == (images.shape, dtype)
    height, width = shape[2:]
    places = range(2 * padding + 1)
    for image, crop in zip(images.double().numpy(), cropped.double().numpy(), strict=True):
        framed = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        slices = [framed[:, t : t + height, k : k + width] for t, k in product(places, places)]
        assert any(np.array_equal(crop, s) for s in slices)


def test_every_place_of_a_crop_is_equally_likely() -> None:
    number, n = torch.arange(1, 26, dtype=torch.uint8).view(1, 1, 5, 5), 20_000
    crops = random_crop(number.expand(n, 1, 5, 5), 2, chance())
    assert as_drawn(crops[:, 0, 2, 2].long().bincount(minlength=26)[1:], n, 1 / 25)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (3, 2, 4, 1)])
def test_a_flipped_image_is_itself_or_its_mirror_image(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    images = noise(*shape, dtype=dtype)
    flipped = random_flip(images, chance())
    assert (flipped.shape, flipped.dtype) == (images.shape, dtype)
    for image, new in zip(images, flipped, strict=True):
        mirrored = torch.stack([image[..., -1 - k] for k in range(shape[-1])], dim=-1)
        assert torch.equal(new, image) or torch.equal(new, mirrored)


def test_half_of_the_images_are_mirrored() -> None:
    n = 10_000
    flipped = random_flip(torch.tensor([1, 2]).view(1, 1, 1, 2).expand(n, 1, 1, 2), chance())
    assert as_drawn((flipped[:, 0, 0, 0] == 2).sum(), n, 1 / 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "size"), FITTING)
def test_cutout_leaves_all_but_one_square(
    shape: tuple[int, ...], size: int, dtype: torch.dtype
) -> None:
    images = noise(*shape, dtype=dtype)
    cut = cutout(images, size, chance())
    assert (cut.shape, cut.dtype) == (images.shape, dtype)
    for image, new in zip(images, cut, strict=True):
        squares = []
        for row, column in product(range(shape[2]), range(shape[3])):
            square = image.clone()
            for r, c in product(range(size), range(size)):
                y, x = row - size // 2 + r, column - size // 2 + c
                if 0 <= y < shape[2] and 0 <= x < shape[3]:
                    square[:, y, x] = 0
            squares.append(square)
        assert any(torch.equal(new, square) for square in squares)


@pytest.mark.parametrize(("height", "width", "size"), [(6, 6, 1), (9, 5, 4), (28, 28, 8)])
def test_the_areas_of_cutout_are_those_of_clipped_squares(
    height: int, width: int, size: int
) -> None:
    """The mean over all centres is the product of the mean clipped sides."""
    n = 10_000
    areas = (cutout(torch.ones(n, 1, height, width), size, chance()) == 0).flatten(1).sum(1)
    sides = [
        np.mean([min(c - size // 2 + size, side) - max(c - size // 2, 0) for c in range(side)])
        for side in (height, width)
    ]
    spread = float(areas.double().std()) / math.sqrt(n)
    assert abs(float(areas.double().mean()) - sides[0] * sides[1]) <= 5 * spread
    assert int(areas.max()) == size**2


def test_cutout_reaches_every_pixel() -> None:
    cut = cutout(torch.ones(4000, 1, 5, 7), 1, chance())
    assert as_drawn((cut == 0).sum(0), 4000, 1 / 35)


# mixup


@pytest.mark.parametrize("dtype", DTYPES)
def test_mixup_weighs_images_as_it_weighs_labels(dtype: torch.dtype) -> None:
    """Of examples that are each their own class, the probabilities say who was mixed with whom."""
    images = noise(6, 3, 5, 4, dtype=dtype)
    mixed, probabilities = mixup(images, torch.arange(6), 6, 0.7, chance())
    kept = dtype if dtype.is_floating_point else torch.float32
    assert (mixed.dtype, probabilities.dtype) == (kept, torch.float32)
    expected = probabilities.double() @ images.double().flatten(1)
    tolerance = 255 * max(torch.finfo(kept).eps, 1e-6)
    torch.testing.assert_close(mixed.double().flatten(1), expected, atol=tolerance, rtol=0)
    partners = probabilities - torch.diag(probabilities.diag())
    (share,) = {round(float(p), 6) for p in partners.flatten() if p}  # one for the whole batch
    assert 0 < share < 1
    for axis in (0, 1):  # every example is a partner once
        torch.testing.assert_close(probabilities.sum(axis), torch.ones(6))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_have_the_moments_of_a_beta_distribution(alpha: float) -> None:
    """Mean 1/2, variance 1 / (4(2α + 1)); for α = 1 the quarters are equally likely."""
    generator, n = chance(), 4000
    images, labels = torch.zeros(8, 1, 1, 1), torch.arange(8)
    shares = []
    for _ in range(n):
        _, probabilities = mixup(images, labels, 8, alpha, generator)
        shares.append(probabilities.diag().min())  # 1 is an example's own partner's
    share = torch.stack(shares).double()
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(float(share.mean()) - 0.5) < 5 * math.sqrt(variance / n)
    assert float(share.var()) == pytest.approx(variance, rel=0.1)
    if alpha == 1:
        assert as_drawn((share * 4).long().clamp(max=3).bincount(), n, 1 / 4)


@pytest.mark.parametrize("n", [0, 1])
def test_mixup_of_none_or_one_changes_nothing(n: int) -> None:
    images = noise(n, 1, 3, 3)
    mixed, probabilities = mixup(images, torch.full((n,), 2), 4, 0.5, chance())
    assert torch.equal(mixed, images.float())
    assert probabilities.tolist() == [[0, 0, 1, 0]] * n


# whatever the tensors are like


@pytest.mark.parametrize("name", ALTERED)
def test_layout_and_kind_of_the_images_do_not_matter(name: str) -> None:
    images = noise(6, 3, 5, 8)
    expected = ALTERED[name](images, chance()).float()
    wide = torch.zeros(6, 3, 5, 16, dtype=torch.uint8)
    wide[..., ::2] = images
    for other in (
        wide[..., ::2],
        images.contiguous(memory_format=torch.channels_last),
        images.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        images.float(),
    ):
        before = other.clone()
        torch.testing.assert_close(ALTERED[name](other, chance()).float(), expected)
        assert torch.equal(other, before)


@pytest.mark.parametrize("name", ALTERED)
def test_a_cpu_generator_serves_images_elsewhere(name: str) -> None:
    images = noise(4, 2, 6, 5)
    expected = ALTERED[name](images, chance())
    new = ALTERED[name](images.to("meta"), chance())
    assert (new.device.type, new.shape, new.dtype) == ("meta", expected.shape, expected.dtype)
    with torch.device("meta"):  # whatever device new tensors get
        assert torch.equal(ALTERED[name](images, chance()), expected)


@pytest.mark.parametrize("name", ALTERED)
def test_only_the_given_generator_is_drawn_from(name: str) -> None:
    images = noise(9, 1, 6, 6)
    first = ALTERED[name](images, chance(4))
    torch.rand(3), np.random.rand(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert torch.equal(ALTERED[name](images, chance(4)), first)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert not torch.equal(ALTERED[name](images, chance(5)), first)


def test_all_together_are_one_after_the_other() -> None:
    images, labels = noise(9, 3, 7, 7), torch.arange(9)
    generator = chance(3)
    expected = random_flip(images, generator)
    expected = random_crop(expected, 2, generator)
    expected = cutout(expected, 3, generator)
    mixed, probabilities = mixup(expected, labels, 9, 0.3, generator)
    found = Augmentation(2, True, 3, 0.3, num_classes=9)((images, labels), chance(3))
    assert torch.equal(found[0], mixed)
    assert torch.equal(found[1], probabilities)
    nothing = Augmentation()
    assert not nothing
    assert nothing((images, labels), chance()) == (images, labels)
    assert all(map(bool, (Augmentation(1), Augmentation(flip=True), Augmentation(cutout=1))))


@pytest.mark.parametrize("pixels", [-1, 5, 28])
def test_what_would_leave_nothing_of_an_image_is_refused(pixels: int) -> None:
    images = noise(2, 1, 5, 9)
    line = rf"wants 0 to 4 pixels for images of 5×9, got {pixels}$"
    with pytest.raises(UsageError, match=f"^crop {line}"):
        random_crop(images, pixels, chance())
    with pytest.raises(UsageError, match=f"^cutout {line}"):
        cutout(images, pixels, chance())
    with pytest.raises(UsageError, match="alpha wants a number above 0, got 0"):
        mixup(images, torch.arange(2), 2, 0, chance())
