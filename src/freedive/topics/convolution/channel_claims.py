"""What the book says about channels and what they cost, as checks (section 7.4)."""

import torch
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.convolution.dense_claims import Evidence, normal, operations
from freedive.topics.convolution.scratch import (
    conv2d,
    corr2d,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_multi_in_out_1x1,
)


@claim(
    "7.4.1",
    "the two-channel example gives 56, 72, 104 and 120",
    ("002b C13", "000 C45", "001_003_004 C61"),
)
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


@erratum(
    "7.4.2",
    "the kernels have the shape c_o × c_i × k_h × k_w; each gives one corr2d_multi_in",
    printed="no shape, and corr2d_multi_in is called and never written",
    source=("001_003_004 E30", "000 E14"),
)
def one_kernel_for_each_output() -> Evidence:
    """Put together channel by channel from corr2d, and then from corr2d_multi_in."""
    X, K = normal(3, 6, 5), normal(4, 3, 2, 3, stream=1)
    by_channel = torch.stack([torch.stack([*map(corr2d, X, kernel)]).sum(dim=0) for kernel in K])
    yield torch.stack([corr2d_multi_in(X, kernel) for kernel in K]), by_channel, 1e-12
    yield corr2d_multi_in_out(X, K), by_channel, 1e-12
    yield list(by_channel.shape), [4, 6 - 2 + 1, 5 - 3 + 1]
    yield list(K.shape), list(torch.nn.Conv2d(3, 4, (2, 3)).weight.shape)


@claim(
    "7.4.3",
    "a 1 × 1 convolution is one dense layer applied to every pixel",
    ("002b C14", "000 C48", "001_003_004 C55"),
)
def one_by_one() -> Evidence:
    """Against the general form, and against a linear layer over channels."""
    X, K = normal(3, 3, 3), normal(2, 3, 1, 1, stream=1)
    Y = corr2d_multi_in_out_1x1(X, K)
    yield Y, corr2d_multi_in_out(X, K), 1e-12
    yield Y, F.linear(X.permute(1, 2, 0), K[:, :, 0, 0]).permute(2, 0, 1), 1e-12


@claim(
    "7.4.4",
    "256 × 256 pixels, 5 × 5 windows, 128 to 128 channels: 53 billion operations where padded",
    "002b C15",
)
def cost() -> Evidence:
    """Additions and multiplications, by the shapes of meta tensors; 52 billion without padding."""

    def counted(in_channels: int, out_channels: int, padding: int = 2) -> int:
        X = torch.empty(1, in_channels, 256, 256, device="meta")
        K = torch.empty(out_channels, in_channels, 5, 5, device="meta")
        return operations(conv2d(X, K, padding=padding), K[0])

    yield counted(128, 128), 53_687_091_200
    yield counted(128, 128, padding=0), (52.0e9, 52.05e9)
    yield counted(256, 128), 2 * counted(128, 128)
    yield counted(128, 256), 2 * counted(128, 128)
