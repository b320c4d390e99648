"""What the book says about kernels, edges and fields, as checks (sections 7.2.1 to 7.2.6)."""

import torch
from torch import nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.convolution.dense_claims import Evidence, normal
from freedive.topics.convolution.kernels import EDGE, stripes
from freedive.topics.convolution.receptive_field import read_layers, receptive_fields
from freedive.topics.convolution.scratch import Conv2d, convolve2d, corr2d


@claim(
    "7.2.1",
    "the 3 × 3 image under the 2 × 2 kernel gives 19, 25, 37 and 43",
    ("002b C1", "000 C41", "001_003_004 C53"),
)
def first_example() -> Evidence:
    """As printed, and by the other operation: a convolution with the kernel turned by 180°."""
    X, K = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)
    yield corr2d(X, K), [[19.0, 25.0], [37.0, 43.0]]
    yield convolve2d(X, K.rot90(2)), [[19.0, 25.0], [37.0, 43.0]]


@claim(
    "7.2.1",
    "the output has n − k + 1 rows and columns; it is what conv2d of torch computes",
    ("002b C2", "002a C135"),
)
def output_shape() -> Evidence:
    """Several sizes of image and kernel."""
    for height, width, kernel_h, kernel_w in (
        (1, 1, 1, 1),
        (5, 4, 2, 3),
        (7, 9, 7, 1),
        (3, 8, 3, 8),
    ):
        X, K = normal(height, width), normal(kernel_h, kernel_w, stream=1)
        Y = corr2d(X, K)
        yield list(Y.shape), [height - kernel_h + 1, width - kernel_w + 1]
        yield Y, F.conv2d(X[None, None], K[None, None])[0, 0], 1e-12


@claim(
    "7.2.3",
    "the kernel (1, −1) finds vertical edges with their sign, and no horizontal ones",
    ("002b C3", "000 C42"),
)
def edges() -> Evidence:
    """The striped image, upright and transposed."""
    yield corr2d(stripes(), EDGE), [[0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0]] * 6
    yield corr2d(stripes().T, EDGE), torch.zeros(8, 5)


@erratum(
    "7.2.3",
    "the kernel (1, −1) computes x_ij − x_i(j+1), the difference along a row",
    printed="x_ij − x_(i+1)j",
    source="002b E1",
)
def difference_along_a_row() -> Evidence:
    """On any image; the printed difference is that of the kernel written as a column."""
    X = normal(5, 6)
    yield corr2d(X, EDGE.double()), X[:, :-1] - X[:, 1:], 1e-12
    yield corr2d(X, EDGE.double().T), X[:-1] - X[1:], 1e-12


@claim(
    "7.2.3",
    "on a diagonal image the kernel (1, −1) gives 1 on the diagonal and −1 left of it",
    ("001_003_004 C58", "001_003_004 exercise E72"),
)
def diagonal() -> Evidence:
    """Of 8 × 8 pixels."""
    eye = torch.eye(8)
    yield corr2d(eye, EDGE), eye[:, :7] - eye[:, 1:]
    yield corr2d(eye, EDGE)[:3, :3], [[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]]


@erratum(
    "7.2.3",
    "a transposed kernel transposes the output of the transposed image: corr(X, Kᵀ) = corr(Xᵀ, K)ᵀ",
    printed="transposing the image changes nothing, transposing the kernel transposes the output",
    source=("001_003_004 C58", "001_003_004 exercise E73", "001_003_004 exercise E74"),
)
def transposed() -> Evidence:
    """Both answers hold for the symmetric diagonal image; on any other one they fail."""
    eye, X = torch.eye(8), normal(6, 6).float()
    yield corr2d(eye.T, EDGE), corr2d(eye, EDGE)
    yield corr2d(eye, EDGE.T), corr2d(eye, EDGE).T
    yield corr2d(X, EDGE.T), corr2d(X.T, EDGE).T
    yield bool(torch.allclose(corr2d(X.T, EDGE), corr2d(X, EDGE))), False
    yield bool(torch.allclose(corr2d(X, EDGE.T), corr2d(X, EDGE).T)), False


@claim(
    "7.2.5",
    "convolution is cross-correlation with the kernel flipped in both axes, and commutes",
    ("002b C6", "002a C136", "000 C40"),
)
def flipped_kernel() -> Evidence:
    """The sum over a and b of f(a, b) g(i − a, j − b), written out, both ways round."""
    X, K = normal(5, 6), normal(2, 3, stream=1)
    full = torch.zeros(6, 8, dtype=torch.float64)
    for a in range(2):
        for b in range(3):
            full[a : a + 5, b : b + 6] += K[a, b] * X
    yield convolve2d(F.pad(X, (2, 2, 1, 1)), K), full, 1e-12
    yield convolve2d(F.pad(K, (5, 5, 4, 4)), X), full, 1e-12


@claim(
    "7.2.6",
    "the receptive field grows by (k − 1) times the strides before: r ← r + (k − 1)j, j ← js",
    "002b C8",
)
def receptive_field() -> Evidence:
    """LeNet's four layers: the recursion against the pixels that reach one output; 16 of 12."""
    stack, layers = read_layers("5/1 2/2 5/1 2/2"), []
    fields = receptive_fields(stack)[1:]
    for layer, field in zip(stack, fields, strict=True):
        layers.append(nn.AvgPool2d(layer.kernel, layer.stride))
        pixels = torch.zeros(1, 1, 40, 40, requires_grad=True)
        output = nn.Sequential(*layers)(pixels)
        (reached,) = torch.autograd.grad(output[0, 0, 3, 3], pixels)
        yield int((reached != 0).any(dim=2).sum()), field.size
    yield [field.size for field in fields], [5, 6, 14, 16]
    smallest = nn.Sequential(nn.AvgPool2d(5, 1, padding=2), *layers[1:])(torch.zeros(1, 1, 12, 12))
    yield list(smallest.shape[2:]), [1, 1]  # of 12 pixels: the field is larger than the image


@claim(
    "7.2.6",
    "two and three layers of 3 × 3 see 5 and 7 pixels, with 18c² < 25c² and 27c² < 49c² weights",
    ("001_003_004 C56", "002b C20"),
)
def stacked() -> Evidence:
    """For c = 8 channels, beside one layer that sees as much."""

    def weights(kernel: int) -> int:
        return nn.Conv2d(8, 8, kernel, bias=False).weight.numel()

    for depth, sees in ((2, 5), (3, 7)):
        yield receptive_fields(read_layers("3 " * depth))[-1].size, sees
        yield depth * weights(3), depth * 9 * 8**2
        yield depth * weights(3) < weights(sees), True


@claim(
    "7.4.2",
    "a layer of kernels adds a bias to each output channel, and begins as torch's",
    "REGRESSIONS R24",
)
def layer_with_bias() -> Evidence:
    """Torch's convolution with the same parameters; the farthest and the mean-square weight."""
    layer, X = Conv2d(16, 64, kernel_size=3, padding=1), torch.randn(2, 16, 8, 8)
    weight, bias = (p.detach() for p in layer.parameters())
    bound = (16 * 9) ** -0.5
    yield layer(X).detach(), F.conv2d(X, weight, bias, padding=1), 1e-5
    yield float(weight.abs().max()), (0.99 * bound, bound)
    yield float(weight.std()), (0.97 * bound / 3**0.5, 1.03 * bound / 3**0.5)
    yield float(bias.std()), (0.7 * bound / 3**0.5, 1.3 * bound / 3**0.5)
