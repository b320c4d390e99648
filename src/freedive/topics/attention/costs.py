"""What it costs to look at a whole sequence: multiplications, and lengths of paths (11.6.2)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from freedive.core.random import preserved_random_state
from freedive.topics.attention import scratch
from freedive.topics.rnn.scratch import RNN


def costs(n: int, d: int, k: int = 3) -> dict[str, int]:
    """Multiplications of a layer of each kind for n tokens of d numbers, counted as it runs.

    Args:
        n: tokens.
        d: numbers for each, before and after the layer.
        k: tokens that the convolution's kernel covers, an odd number.
    """
    X = torch.ones(1, n, d)
    with preserved_random_state():  # weights are drawn, whatever they are
        return {
            "attention": multiplications(scratch.DotProductAttention(), X, X, X),
            "self-attention": multiplications(scratch.MultiHeadAttention(d, 1), X, X, X),
            "convolution": multiplications(nn.Conv1d(d, d, k, padding=k // 2), X.mT),
            "recurrence": multiplications(RNN(d, d), X.transpose(0, 1)),
        }


def multiplications(layer: Any, *inputs: Tensor) -> int:
    """How many numbers are multiplied in the layer's matrix products and convolutions."""
    with torch.no_grad(), Products() as products:
        layer(*inputs)
    return products.total


class Products(TorchFunctionMode):
    """Counts the multiplications of products and convolutions while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, name = func(*args, **(kwargs or {})), func.__name__
        if name in ("matmul", "__matmul__", "bmm", "mm"):
            self.total += out.numel() * args[0].shape[-1]
        elif name == "addmm":
            self.total += out.numel() * args[1].shape[-1]
        elif name == "conv1d":  # a kernel for each number that comes out
            self.total += out.numel() * args[1][0].numel()
        return out


def layers_to_span(n: int, k: int) -> int:
    """Convolutions over k tokens up to the present one, until the last output sees the first.

    ⌈(n − 1)/(k − 1)⌉. A kernel that is centred reaches half as far to either side.
    """
    reached, layers = torch.arange(n) == 0, 0  # which outputs see the first token
    while not reached[-1]:
        reached = F.pad(reached, (k - 1, 0)).unfold(0, k, 1).any(dim=1)
        layers += 1
    return layers
