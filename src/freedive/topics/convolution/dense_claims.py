"""What the book says about the way from dense layers to convolutions, as checks (section 7.1)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.convolution.dense import by_offset, counts, dense_layer, local, shifted
from freedive.topics.convolution.scratch import conv2d, convolve2d, corr2d

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream), dtype=torch.float64)


def operations(Y: Tensor, K: Tensor) -> int:
    """Additions and multiplications behind an output: one of each for each number of a kernel."""
    return 2 * Y.numel() * K.numel()


@erratum(
    "7.1.2",
    "counted by offsets, [V]_ijab = [W]_ij(i+a)(j+b), the weights are the same dense layer",
    printed="[V]_ijab = [W]_ij(i+a)(j+k)",
    source=("002a C131", "002a E50"),
)
def counted_by_offsets() -> Evidence:
    """Any weights at all, taken by pixel and by offset; offsets beyond the border meet zeros."""
    n, X, U = 4, normal(4, 4), normal(4, 4, stream=1)
    W = normal(n, n, n, n, stream=2)
    framed = F.pad(X, (n,) * 4)
    by_pixel, by_shift = dense_layer(W, X, U), U.clone()
    V = F.pad(W, (n,) * 4)  # now every offset has a place
    place = torch.arange(n)
    i, j = place[:, None], place[None, :]
    for a in range(1 - n, n):
        for b in range(1 - n, n):
            by_shift += V[i, j, n + i + a, n + j + b] * framed[n + i + a, n + j + b]
    yield by_shift, by_pixel, 1e-12


@claim(
    "7.1.2",
    "a dense layer whose weights depend on the offset alone, and vanish beyond Δ, is a convolution",
    ("002a C131", "000 C38"),
)
def dense_to_convolution() -> Evidence:
    """The full tensor w_ijkl = v_(k−i)(l−j) against a padded convolution: 625 weights, and 9."""
    n, kernel, X = 5, normal(3, 3), normal(5, 5, stream=1)
    W = by_offset(local(kernel, n))
    yield dense_layer(W, X), conv2d(X[None, None], kernel[None, None], padding=1)[0, 0], 1e-12
    yield W.numel(), 625
    yield len(W[W != 0].unique()), 9


@claim(
    "7.1.2", "away from the borders a shifted image has a shifted output", ("002a C134", "000 C39")
)
def equivariance() -> Evidence:
    """Two down, three to the right; around a torus it holds everywhere."""
    X, K = normal(12, 12), normal(3, 3, stream=1)
    yield corr2d(shifted(X, 2, 3), K)[2:, 3:], corr2d(X, K)[:-2, :-3], 1e-12
    around, moved = (
        F.pad(Z[None, None], (1,) * 4, "circular")[0, 0] for Z in (X, X.roll((2, 3), (0, 1)))
    )
    yield corr2d(moved, K), corr2d(around, K).roll((2, 3), (0, 1)), 1e-12


@erratum(
    "7.1.1",
    "an output that shifts with its input is equivariant; an invariant one stays as it is",
    printed="translation invariance: the output shifts with the input",
    source=("002a E49", "000 E27"),
)
def invariance() -> Evidence:
    """A picture in black, moved: a convolution moves with it, its largest number stays."""
    X, K = F.pad(normal(6, 6), (4,) * 4), normal(3, 3, stream=1)
    before, after = corr2d(X, K), corr2d(shifted(X, 2, 1), K)
    yield after, shifted(before, 2, 1), 1e-12
    yield bool(torch.equal(after, before)), False
    yield float(after.max()), float(before.max()), 1e-12


@claim(
    "7.1.2",
    "an image of 1000 × 1000 to as many units: 10¹² weights, 3,996,001 offsets",
    "002a C132",
)
def counted_weights() -> Evidence:
    """Counted on a small image, where the weights can be made; then by the same formula."""
    W = by_offset(normal(7, 7))
    yield list(counts(4, 1)), [W.numel(), len(W.unique()), 9]
    dense, offsets, _ = counts(1000, 1)
    yield dense, 10**12
    yield offsets, 3_996_001
    yield offsets / 2000**2, (0.999, 1.0)


@claim(
    "7.1.4",
    "1024 × 1024 × 3 values to as many pixels: 3.3·10¹² weights, a 3 × 3 layer 1,792",
    "002a C138",
)
def photograph() -> Evidence:
    """A dense layer to one unit a pixel; 64 channels by a convolution with biases."""
    dense = torch.nn.Linear(1024 * 1024 * 3, 1024 * 1024, bias=False, device="meta")
    yield dense.weight.numel(), (3.2e12, 3.4e12)
    yield sum(p.numel() for p in torch.nn.Conv2d(3, 64, 3).parameters()), 1792


@erratum(
    "7.1.2.2",
    "within Δ of its centre a kernel has (2Δ + 1)² weights",
    printed="the kernel is Δ × Δ, and has 4Δ² weights",
    source=("002a C133", "002a E51"),
)
def local_weights() -> Evidence:
    """For Δ = 10: 4Δ² is a tenth too small, the saving still near ten thousand."""
    _, offsets, near = counts(1000, 10)
    yield near, 441
    yield near / (4 * 10**2), (1.05, 1.15)
    yield offsets / near, (9e3, 1e4)
    W = by_offset(local(normal(5, 5), 6))  # counted on a small image, for Δ = 2
    yield len(W[W != 0].unique()), counts(6, 2)[2]


@claim(
    "7.1.4",
    "[H]_ijd = Σ_abc [V]_abcd [X]_(i+a)(j+b)c is what conv2d of torch computes",
    "002a C137",
)
def channels() -> Evidence:
    """The sum written out, channels last as in the book, with Δ = 2."""
    delta, X, V = 2, normal(7, 6, 3), normal(5, 5, 3, 4, stream=1)
    framed, H = F.pad(X, (0, 0, delta, delta, delta, delta)), torch.zeros(7, 6, 4).double()
    for a in range(-delta, delta + 1):
        for b in range(-delta, delta + 1):
            part = framed[delta + a : delta + a + 7, delta + b : delta + b + 6]
            H += torch.einsum("ijc,cd->ijd", part, V[delta + a, delta + b])
    theirs = F.conv2d(X.permute(2, 0, 1)[None], V.permute(3, 2, 0, 1), padding=delta)
    yield H, theirs[0].permute(1, 2, 0), 1e-12


@erratum(
    "7.1.3",
    "convolution and cross-correlation cost the same; a learnt kernel absorbs the flip",
    printed="cross-correlation is used because it is more efficient; f and g change their places",
    source=("002a E52", "002a C136"),
)
def same_cost() -> Evidence:
    """The flip is of the kernel alone; and that f is the kernel: exchanged, the sum is another."""
    X, K = normal(9, 9), normal(3, 3, stream=1)
    convolved, correlated = convolve2d(X, K), corr2d(X, K)
    yield convolved, corr2d(X, K.flip(0, 1)), 0.0
    yield operations(convolved, K), operations(correlated, K)
    f, g = normal(1, 4, stream=2), normal(1, 4, stream=3)
    full = corr2d(F.pad(f, (3, 3)), g)  # Σ f(x) g(x + t) for every t
    exchanged = corr2d(F.pad(g, (3, 3)), f)
    yield exchanged, full.flip(1), 1e-12
    yield bool(torch.allclose(exchanged, full)), False


@erratum(
    "7.1.2",
    "Σ_ab [V]_ab [X]_(i+a)(j+b) is a cross-correlation; in a convolution stands i − a",
    printed="this is a convolution",
    source="000 E27",
)
def not_a_convolution() -> Evidence:
    """Beside both operations: it is a convolution for the flipped kernel only."""
    X, V = normal(6, 6), normal(3, 3, stream=1)
    H = sum(V[a, b] * X[a : a + 4, b : b + 4] for a in range(3) for b in range(3))
    yield H, corr2d(X, V), 1e-12
    yield bool(torch.allclose(torch.as_tensor(H), convolve2d(X, V))), False
    yield H, convolve2d(X, V.flip(0, 1)), 1e-12
