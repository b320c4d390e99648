"""What the book says about convolution, as checks (sections 7.1 to 7.4)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.convolution.scratch import (
    conv2d,
    convolve2d,
    corr2d,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_multi_in_out_1x1,
)

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def stripes() -> Tensor:
    """The book's 6 × 8 image: white, with a black band in columns 2 to 5."""
    X = torch.ones(6, 8)
    X[:, 2:6] = 0
    return X


EDGE = torch.tensor([[1.0, -1.0]])


@claim(
    "7.1.2",
    "a dense layer whose weights depend on the offset alone, and vanish beyond Δ, is a convolution",
    ("002a C131", "002a C137", "000 C38"),
)
def dense_to_convolution() -> Evidence:
    """The full tensor W_ijkl = V_(k−i)(l−j) against a padded convolution: 625 weights, and 9."""
    n, V, X = 5, normal(3, 3), normal(5, 5, stream=1)
    offsets = torch.arange(n)[None, :] - torch.arange(n)[:, None] + 1  # k − i + Δ
    inside = (offsets >= 0) & (offsets <= 2)
    clipped = offsets.clamp(0, 2)
    W = V[clipped[:, None, :, None], clipped[None, :, None, :]]
    W = W * (inside[:, None, :, None] & inside[None, :, None, :])
    dense = torch.einsum("ijkl,kl->ij", W, X)
    yield dense, conv2d(X[None, None], V[None, None], padding=1)[0, 0], 1e-12
    yield W.numel(), 625
    yield V.numel(), 9


@claim(
    "7.1.2", "away from the borders a shifted image has a shifted output", ("002a C134", "000 C39")
)
def equivariance() -> Evidence:
    """Two down, three to the right."""
    X, K = normal(12, 12), normal(3, 3, stream=1)
    shifted = X.roll((2, 3), (0, 1))
    yield corr2d(shifted, K)[2:, 3:], corr2d(X, K)[:-2, :-3], 1e-12


@claim("7.1.2", "dense layers on images cost 10¹² weights, local ones some hundreds", "002a C132")
def counted_weights() -> Evidence:
    """1000 × 1000 pixels to as many units; then one weight for each offset; then only near ones."""
    pixels = 1000 * 1000
    yield pixels * pixels, 10**12
    yield (2 * 1000 - 1) ** 2, (0.99 * 2000**2, 2000**2)
    yield torch.nn.Conv2d(3, 64, 3).weight.numel() + 64, 1792
    yield 1024 * 1024 * 3 * 1024 * 1024, (3.2e12, 3.4e12)


@erratum(
    "7.1.2.2",
    "within Δ of its centre a kernel has (2Δ + 1)² weights",
    printed="the kernel is Δ × Δ, and has 4Δ² weights",
    source=("002a C133", "002a E51"),
)
def local_weights() -> Evidence:
    """For Δ = 10: the approximation is a tenth too small, the saving still near ten thousand."""
    delta = 10
    exact = torch.nn.Conv2d(1, 1, 2 * delta + 1, bias=False).weight.numel()
    yield exact, 441
    yield exact / (4 * delta**2), (1.05, 1.15)
    yield 2000**2 / exact, (9e3, 1e4)


@claim(
    "7.2.1",
    "the 3 × 3 image under the 2 × 2 kernel gives 19, 25, 37 and 43",
    ("002b C1", "000 C41"),
)
def first_example() -> Evidence:
    """As printed."""
    X, K = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)
    yield corr2d(X, K), [[19.0, 25.0], [37.0, 43.0]]


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


def learnt_kernel(
    operation: Callable[[Tensor, Tensor], Tensor], lr: float, steps: int, start: Tensor
) -> tuple[Tensor, list[float]]:
    """A 1 × 2 kernel fitted to the edges by gradient descent on the sum of squares; its losses."""
    X, Y = stripes().double(), corr2d(stripes(), EDGE).double()
    K, losses = start.clone().requires_grad_(), []
    for _ in range(steps):
        loss = ((operation(X, K) - Y) ** 2).sum()
        losses.append(loss.item())
        (gradient,) = torch.autograd.grad(loss, K)
        K = (K - lr * gradient).detach().requires_grad_()
    return K.detach(), losses


@claim("7.2.4", "ten steps at lr 0.03 bring the kernel near to (1, −1)", ("002b C4", "000 C43"))
def kernel_learning() -> Evidence:
    """From starts within torch's default ±1/√2: error, last loss, and that it only falls."""
    for seed in range(10):
        start = torch.rand(1, 2, generator=generator(seed), dtype=torch.float64)
        K, losses = learnt_kernel(corr2d, 0.03, 10, (2 * start - 1) / 2**0.5)
        yield float((K - EDGE).abs().max()), (0.0, 0.1)
        yield losses[-1], (0.0, 0.5)
        yield losses == sorted(losses, reverse=True), True


@claim("7.2.4", "gradient descent on the kernel is stable exactly when lr < 1/30", "002b C5")
def kernel_step_limit() -> Evidence:
    """2/λ for the largest eigenvalue of the loss's Hessian; just below it falls, above it grows."""
    X = stripes().double()
    columns = torch.stack([X[:, :-1].reshape(-1), X[:, 1:].reshape(-1)])
    largest = float(torch.linalg.eigvalsh(2 * columns @ columns.T).max())
    yield 2 / largest, 1 / 30, 1e-12
    for lr, grows in ((0.033, False), (0.0334, True)):
        _, losses = learnt_kernel(corr2d, lr, 1000, torch.full((1, 2), 0.3, dtype=torch.float64))
        yield losses[-1] > losses[0], grows


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


@claim("7.2.5", "a strict convolution learns the flipped kernel, with the same outputs", "002b C7")
def learnt_flip() -> Evidence:
    """Both from mirrored starts."""
    start = torch.tensor([[0.2, 0.5]], dtype=torch.float64)
    K, losses = learnt_kernel(corr2d, 0.03, 50, start)
    flipped, flipped_losses = learnt_kernel(convolve2d, 0.03, 50, start.flip(1))
    yield flipped, K.flip(1), 1e-12
    yield flipped_losses, losses, 1e-12
    yield flipped, [[-1.0, 1.0]], 1e-3


@claim("7.4.1", "the two-channel example gives 56, 72, 104 and 120", ("002b C13", "000 C45"))
def two_channels() -> Evidence:
    """As printed, with one and with three output channels."""
    base, kernel = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)
    X, K = torch.stack([base, base + 1]), torch.stack([kernel, kernel + 1])
    yield corr2d_multi_in(X, K), [[56.0, 72.0], [104.0, 120.0]]
    kernels = torch.stack([K, K + 1, K + 2])
    yield list(kernels.shape), [3, 2, 2, 2]
    second, third = [[76.0, 100.0], [148.0, 172.0]], [[96.0, 128.0], [192.0, 224.0]]
    printed = torch.tensor([[[56.0, 72.0], [104.0, 120.0]], second, third])
    yield corr2d_multi_in_out(X, kernels), printed


@claim(
    "7.4.3",
    "a 1 × 1 convolution is one dense layer applied to every pixel",
    ("002b C14", "000 C48"),
)
def one_by_one() -> Evidence:
    """Against the general form, and against a linear layer over channels."""
    X, K = normal(3, 3, 3), normal(2, 3, 1, 1, stream=1)
    Y = corr2d_multi_in_out_1x1(X, K)
    yield Y, corr2d_multi_in_out(X, K), 1e-12
    yield Y, F.linear(X.permute(1, 2, 0), K[:, :, 0, 0]).permute(2, 0, 1), 1e-12


@claim(
    "7.4.4",
    "256 × 256 pixels, 5 × 5 windows, 128 to 128 channels: 53 billion operations",
    "002b C15",
)
def cost() -> Evidence:
    """Additions and multiplications where the size is kept, by the shapes of meta tensors."""

    def operations(in_channels: int, out_channels: int) -> int:
        X = torch.empty(1, in_channels, 256, 256, device="meta")
        K = torch.empty(out_channels, in_channels, 5, 5, device="meta")
        return 2 * conv2d(X, K, padding=2).numel() * K[0].numel()

    yield operations(128, 128), 53_687_091_200
    yield operations(256, 128), 2 * operations(128, 128)
    yield operations(128, 256), 2 * operations(128, 128)
