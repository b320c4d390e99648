"""What the book says about padding, stride, pooling and LeNet, as checks (7.2.6, 7.3, 7.5, 7.6)."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.convolution import scratch
from freedive.topics.convolution.claims import Evidence, normal
from freedive.topics.convolution.lenet import LeNet, LeNetScratch
from freedive.topics.convolution.scratch import conv2d, pool2d


def output_size(n: int, kernel: int, padding: int, stride: int, dilation: int = 1) -> int:
    """⌊(n + p − d(k − 1) − 1)/s⌋ + 1 for a total padding p (sections 7.3.1 and 7.3.2)."""
    return (n + padding - dilation * (kernel - 1) - 1) // stride + 1


def uses(size: int, kernel: int, padding: int) -> Tensor:
    """How many windows see each pixel of a square image."""
    pixels = torch.zeros(1, 1, size, size, requires_grad=True)
    output = conv2d(pixels, torch.ones(1, 1, kernel, kernel), padding=padding)
    return torch.autograd.grad(output.sum(), pixels)[0][0, 0]


@claim(
    "7.2.6",
    "the receptive field grows by (k − 1) times the strides before: r ← r + (k − 1)j, j ← js",
    "002b C8",
)
def receptive_field() -> Evidence:
    """LeNet's four layers: the recursion against the pixels that reach one output."""
    r, j, layers = 1, 1, []
    for kernel, stride in ((5, 1), (2, 2), (5, 1), (2, 2)):
        r, j = r + (kernel - 1) * j, j * stride
        layers.append(nn.AvgPool2d(kernel, stride))
        pixels = torch.zeros(1, 1, 40, 40, requires_grad=True)
        output = nn.Sequential(*layers)(pixels)
        (reached,) = torch.autograd.grad(output[0, 0, 3, 3], pixels)
        yield int((reached != 0).any(dim=2).sum()), r
    yield r, 16


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
    """3 × 3 windows over 8 × 8 pixels: uses of an inner pixel and of a corner, by padding."""
    for padding, corner in ((0, 1), (1, 4), (2, 9)):
        counts = uses(8, 3, padding)
        yield int(counts[4, 4]), 9
        yield int(counts[0, 0]), corner


@claim(
    "7.3.2",
    "⌊(n − k + p + s)/s⌋ is the output size, ⌈n/s⌉ for p = k − 1; with dilation k is d(k − 1) + 1",
    ("002b C11", "002b C12"),
)
def strided_size() -> Evidence:
    """Every combination of a grid, against the operation and torch's."""
    wrong = 0
    for n, k, p, s, d in itertools.product((7, 8, 12), (1, 2, 3), (0, 1, 2), (1, 2, 3), (1, 2)):
        X, K = torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k)
        size = output_size(n, k, 2 * p, s, d)
        ours, theirs = (f(X, K, None, s, p, d).shape[-1] for f in (conv2d, F.conv2d))
        wrong += not size == ours == theirs
        wrong += d == 1 and size != (n - k + 2 * p + s) // s
        wrong += output_size(n, k, k - 1, s) != -(-n // s)
    yield wrong, 0


@claim("7.3.2", "8 × 8 becomes 4 × 4 at stride 2, and 2 × 2 in the book's last example", "002b C11")
def printed_strides() -> Evidence:
    """3 × 3, padding 1, stride 2; 3 × 5, padding (0, 1), stride (3, 4)."""
    X = normal(1, 1, 8, 8)
    yield list(conv2d(X, normal(1, 1, 3, 3), stride=2, padding=1).shape), [1, 1, 4, 4]
    Y = conv2d(X, normal(1, 1, 3, 5), stride=(3, 4), padding=(0, 1))
    yield list(Y.shape), [1, 1, 2, 2]


@claim("7.5.1", "pooling 3 × 3 numbers by 2 × 2 windows, maximum and average", "002b C16")
def pooled() -> Evidence:
    """As printed, at stride 1."""
    X = torch.arange(9.0).reshape(3, 3)
    yield pool2d(X, (2, 2), stride=1), [[4.0, 5.0], [7.0, 8.0]]
    yield pool2d(X, (2, 2), "avg", stride=1), [[2.0, 3.0], [5.0, 6.0]]


@erratum(
    "7.5.1",
    "max pooling ignores a shift only within a window",
    printed="pooling makes the output independent of small shifts",
    source="000 C44",
)
def shift_tolerance() -> Evidence:
    """A dot on 4 × 4 pixels, moved by one, in windows of 2 × 2."""
    dot = torch.zeros(4, 4)
    dot[0, 0] = 1
    within, across = dot.roll(1, 1), dot.roll(2, 1)
    yield bool(torch.equal(pool2d(within, 2), pool2d(dot, 2))), True
    yield bool(torch.equal(pool2d(across, 2), pool2d(within, 2))), False
    yield bool(torch.equal(pool2d(within, 2, stride=1), pool2d(dot, 2, stride=1))), False


@claim("7.5.2", "pooling windows do not overlap by default; three printed examples", "002b C17")
def printed_poolings() -> Evidence:
    """Numbers 0 to 15 on 4 × 4 pixels, and torch's layers beside ours."""
    X = torch.arange(16.0).reshape(1, 1, 4, 4)
    for layers in (scratch, nn):
        yield layers.MaxPool2d(3)(X), [[[[10.0]]]]
        yield layers.MaxPool2d(3, padding=1, stride=2)(X), [[[[5.0, 7.0], [13.0, 15.0]]]]
        wide = layers.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))
        yield wide(X), [[[[5.0, 7.0], [13.0, 15.0]]]]


@claim(
    "7.5.3", "pooling works on each channel alone and has no parameters", ("002b C16", "000 C46")
)
def channels_kept() -> Evidence:
    """A second channel larger by one."""
    X = torch.arange(16.0).reshape(1, 1, 4, 4)
    layer = scratch.MaxPool2d(3, padding=1, stride=2)
    both = torch.tensor([[[[5.0, 7.0], [13.0, 15.0]], [[6.0, 8.0], [14.0, 16.0]]]])
    yield layer(torch.cat([X, X + 1], dim=1)), both
    yield len(list(layer.parameters())), 0


@claim("7.6.1", "LeNet's layers have the printed shapes, 61,706 parameters together", "002b C18")
def lenet_shapes() -> Evidence:
    """Both forms, on one 28 × 28 image."""
    printed = [[6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 5, 5], [400], [120], [84], [10]]
    for model in (LeNet(), LeNetScratch()):
        X, shapes = torch.zeros(1, 1, 28, 28), []
        for layer in model.net:
            X = layer(X)
            if not isinstance(layer, nn.Sigmoid):
                shapes.append(list(X.shape[1:]))
        yield str(shapes), str(printed)
        yield sum(p.numel() for p in model.parameters()), 61_706
