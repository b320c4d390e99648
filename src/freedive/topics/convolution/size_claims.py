"""What the book says about padding and stride, as checks (section 7.3)."""

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.convolution.dense_claims import Evidence, normal, operations
from freedive.topics.convolution.scratch import conv2d
from freedive.topics.convolution.sizes import output_size, size_by_total

Setting = tuple[int, int, int, int, int]  # pixels, kernel, padding on each side, stride, dilation
GRID = [
    setting
    for setting in itertools.product(range(5, 13), range(1, 5), range(4), range(1, 5), (1, 2))
    if setting[0] + 2 * setting[2] > setting[4] * (setting[1] - 1)
]  # more than a thousand


def by_torch(setting: Setting) -> int:
    """The size of an output, asked of torch, which makes no numbers for it."""
    n, kernel, padding, stride, dilation = setting
    X, K = torch.empty(1, 1, 1, n, device="meta"), torch.empty(1, 1, 1, kernel, device="meta")
    return F.conv2d(X, K, None, (1, stride), (0, padding), (1, dilation)).shape[-1]


def by_total(setting: Setting, total: int) -> int:
    """The size by the book's formula, with a padding of both sides; 0 where no window fits."""
    n, kernel, _, stride, dilation = setting
    fits = n + total > dilation * (kernel - 1)
    return size_by_total(n, kernel, total, stride, dilation) if fits else 0


def uses(size: int, kernel: int, padding: int) -> Tensor:
    """How many windows see each pixel of a square image."""
    pixels = torch.zeros(1, 1, size, size, requires_grad=True)
    output = conv2d(pixels, torch.ones(1, 1, kernel, kernel), padding=padding)
    return torch.autograd.grad(output.sum(), pixels)[0][0, 0]


@claim(
    "7.3.1", "a total padding of k − 1 keeps the size; it is symmetric only for odd k", "002b C9"
)
def same_size() -> Evidence:
    """For k from 1 to 7: what is left goes to the lower right where k is even."""
    X = normal(1, 1, 9, 8)
    for k in range(1, 8):
        before, after = (k - 1) // 2, k // 2
        padded = F.pad(X, (before, after, before, after))
        yield list(conv2d(padded, normal(1, 1, k, k)).shape), [1, 1, 9, 8]
        yield before == after, k % 2 == 1


@claim("7.3.1", "3×3 windows with padding 1 and 5×3 ones with (2, 1) keep 8 × 8", "002b C9")
def printed_paddings() -> Evidence:
    """As the book has them."""
    X = normal(1, 1, 8, 8)
    yield list(conv2d(X, normal(1, 1, 3, 3), padding=1).shape), [1, 1, 8, 8]
    yield list(conv2d(X, normal(1, 1, 5, 3), padding=(2, 1)).shape), [1, 1, 8, 8]


@erratum(
    "7.3.1",
    "corner pixels are used less than inner ones until the padding is k − 1 on each side",
    printed="padding makes all pixels be used equally often",
    source=("002b C10", "002b E2"),
)
def pixel_use() -> Evidence:
    """3 × 3 windows over 8 × 8 pixels: uses of a corner, of an edge and of an inner pixel."""
    for padding, corner, edge in ((0, 1, 3), (1, 4, 6), (2, 9, 9)):
        counts = uses(8, 3, padding)
        yield [int(counts[0, 0]), int(counts[0, 4]), int(counts[4, 4])], [corner, edge, 9]


@erratum(
    "7.3.1",
    "in the book's formulas p is the padding of both sides together, twice torch's",
    printed="p_h and p_w, without saying which",
    source=("001_003_004 E41", "001_003_004 C54", "002b C12"),
)
def total_padding() -> Evidence:
    """⌊(n − k + p + s)/s⌋ with p = 2P against torch, on more than a thousand settings."""
    yield len(GRID), (1001, 2000)
    yield sum(by_total(setting, 2 * setting[2]) != by_torch(setting) for setting in GRID), 0
    padded = [setting for setting in GRID if setting[2] and by_total(setting, setting[2])]
    mistaken = sum(by_total(setting, setting[2]) != by_torch(setting) for setting in padded)
    yield mistaken > len(padded) / 2, True


@erratum(
    "7.3.2",
    "⌊(n + 2P − d(k − 1) − 1)/s⌋ + 1 is the size, P being the padding of each side",
    printed="the formula with dilation looks wrong",
    source=("002b C12", "002b C11", "002b E6"),
)
def dilated_size() -> Evidence:
    """Against torch on the same settings; the printed example keeps its 32 pixels."""
    yield sum(output_size(*setting) != by_torch(setting) for setting in GRID), 0
    yield output_size(32, kernel=3, padding=1), 32


@erratum(
    "7.3.2",
    "with a total padding of k − 1 the size is exactly ⌈n/s⌉",
    printed="about n/s",
    source=("002b C11", "002b E5"),
)
def rounded_up() -> Evidence:
    """Sizes, kernels and strides up to 12."""
    numbers = range(1, 13)
    for n, s in itertools.product(numbers, repeat=2):
        yield [size_by_total(n, k, k - 1, s) for k in numbers], [math.ceil(n / s)] * 12


@erratum(
    "7.3.2",
    "8 pixels, k = 3, P = 1, s = 2: ⌊(8 − 3 + 2 + 2)/2⌋ = 4",
    printed="(n − k + s + 1)/s, which drops the padding",
    source="002b E4",
)
def dropped_padding() -> Evidence:
    """Right by luck in the example; wrong for 5 pixels, k = 3, s = 1, and in most of the grid."""
    yield [size_by_total(8, 3, 2, 2), (8 - 3 + 2 + 1) // 2], [4, 4]
    yield [output_size(5, 3), (5 - 3 + 1 + 1) // 1], [3, 4]
    undilated = [setting for setting in GRID if setting[4] == 1]
    wrong = sum((n - k + s + 1) // s != output_size(n, k, p, s) for n, k, p, s, _ in undilated)
    yield wrong > len(undilated) / 2, True


@erratum(
    "7.3.2",
    "the last example's width is ⌊(8 − 5 + 2)/4⌋ + 1 = 2: padding counts on both sides",
    printed="(8 − 5 + 1)/4 + 1 = 2",
    source=("001_003_004 exercise E75", "001_003_004 C54"),
)
def padding_counted_once() -> Evidence:
    """The same number by luck; for 8 pixels, k = 3, P = 1, s = 1 it is 8, and not 7."""
    yield [output_size(8, 5, 1, 4), (8 - 5 + 1) // 4 + 1], [2, 2]
    yield [output_size(8, 3, 1, 1), (8 - 3 + 1) // 1 + 1], [8, 7]


@claim(
    "7.3.2",
    "8 × 8 becomes 4 × 4 at stride 2, and 2 × 2 in the book's last example",
    ("002b C11", "001_003_004 C60"),
)
def printed_strides() -> Evidence:
    """3 × 3, padding 1, stride 2; 3 × 5, padding (0, 1), stride (3, 4)."""
    X = normal(1, 1, 8, 8)
    yield list(conv2d(X, normal(1, 1, 3, 3), stride=2, padding=1).shape), [1, 1, 4, 4]
    Y = conv2d(X, normal(1, 1, 3, 5), stride=(3, 4), padding=(0, 1))
    yield list(Y.shape), [1, 1, 2, 2]


@claim(
    "7.3.2",
    "a stride s leaves 1/s² of the numbers and of the operations",
    "001_003_004 exercise E78",
)
def cheaper() -> Evidence:
    """A 3 × 3 layer on 24 × 24 pixels, strides 2 and 3."""
    X, K = normal(1, 4, 24, 24), normal(4, 4, 3, 3, stream=1)
    every = operations(conv2d(X, K, padding=1), K[0])
    for stride in (2, 3):
        yield every / operations(conv2d(X, K, None, stride, padding=1), K[0]), stride**2


@erratum(
    "7.3.2",
    "stride 2 keeps every second sample of a sound: what is too high comes back lower",
    printed="the smallest unit of sound is 2",
    source="001_003_004 exercise E77",
)
def every_second_sample() -> Evidence:
    """64 samples: a tone of 5 waves stays one of 5, one of 20 becomes one of 32 − 20 = 12."""
    time = torch.arange(64.0)
    for waves, heard in ((5, 5), (20, 12)):
        tone = torch.sin(2 * torch.pi * waves * time / 64)
        kept = conv2d(tone[None, None, None], torch.ones(1, 1, 1, 1), stride=(1, 2))[0, 0, 0]
        yield kept, tone[::2]
        yield int(torch.fft.rfft(kept).abs().argmax()), heard
