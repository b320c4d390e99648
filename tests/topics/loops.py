"""The operations of sections 7.2 to 7.5 as the book writes them: one number at a time."""

import itertools

import torch

from freedive.topics.convolution.sizes import pair


def conv2d(X, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Σ over the channels of a group and over the kernel, for each image, channel and pixel."""
    (step_h, step_w), (pad_h, pad_w), (gap_h, gap_w) = map(pair, (stride, padding, dilation))
    height, width = X.shape[2:]
    out_channels, group_channels, kernel_h, kernel_w = weight.shape
    rows = (height + 2 * pad_h - gap_h * (kernel_h - 1) - 1) // step_h + 1
    columns = (width + 2 * pad_w - gap_w * (kernel_w - 1) - 1) // step_w + 1
    Y = X.new_zeros(len(X), out_channels, rows, columns)
    for n, o, i, j in itertools.product(*map(range, Y.shape)):
        first = o // (out_channels // groups) * group_channels
        total = 0.0 if bias is None else bias[o]
        for c, a, b in itertools.product(range(group_channels), range(kernel_h), range(kernel_w)):
            row, column = i * step_h + a * gap_h - pad_h, j * step_w + b * gap_w - pad_w
            if 0 <= row < height and 0 <= column < width:
                total = total + X[n, first + c, row, column] * weight[o, c, a, b]
        Y[n, o, i, j] = total
    return Y


def pool2d(X, pool_size, mode="max", stride=None, padding=0):
    """The largest number, or the mean with zeros for the padding, of each window of a matrix."""
    (pool_h, pool_w), (pad_h, pad_w) = pair(pool_size), pair(padding)
    step_h, step_w = pair(pool_size if stride is None else stride)
    height, width = X.shape
    rows = (height + 2 * pad_h - pool_h) // step_h + 1
    columns = (width + 2 * pad_w - pool_w) // step_w + 1
    Y = X.new_zeros(rows, columns)
    for i, j in itertools.product(range(rows), range(columns)):
        seen = [
            X[row, column]
            for row in range(i * step_h - pad_h, i * step_h - pad_h + pool_h)
            for column in range(j * step_w - pad_w, j * step_w - pad_w + pool_w)
            if 0 <= row < height and 0 <= column < width
        ]
        Y[i, j] = max(seen) if mode == "max" else torch.stack(seen).sum() / (pool_h * pool_w)
    return Y


def convolve2d(X, K):
    """Σ over a and b of f(a, b) g(i − a, j − b), where the kernel lies within the image."""
    height, width = X.shape
    kernel_h, kernel_w = K.shape
    Y = X.new_zeros(height - kernel_h + 1, width - kernel_w + 1)
    for i, j in itertools.product(*map(range, Y.shape)):
        for a, b in itertools.product(range(kernel_h), range(kernel_w)):
            Y[i, j] += K[a, b] * X[i + kernel_h - 1 - a, j + kernel_w - 1 - b]
    return Y
