"""Aliases by which the book wrote one text for several frameworks: torch's own functions."""

from typing import Any

import torch
from torch import Tensor, nn

nn_Module = nn.Module
ones, zeros, tensor, arange, meshgrid = (
    torch.ones,
    torch.zeros,
    torch.tensor,
    torch.arange,
    torch.meshgrid,
)
ones_like, zeros_like = torch.ones_like, torch.zeros_like
sin, sinh, cos, cosh, tanh = torch.sin, torch.sinh, torch.cos, torch.cosh, torch.tanh
linspace, exp, log, sigmoid = torch.linspace, torch.exp, torch.log, torch.sigmoid
normal, rand, randn = torch.normal, torch.rand, torch.randn
matmul, batch_matmul = torch.matmul, torch.bmm
int32, int64, float32 = torch.int32, torch.int64, torch.float32
concat, stack, abs, eye = torch.cat, torch.stack, torch.abs, torch.eye


def numpy(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The numbers as a NumPy array, apart from the graph."""
    return x.detach().numpy(*args, **kwargs)


def size(x: Tensor, *args: Any, **kwargs: Any) -> int:
    """How many numbers there are."""
    return x.numel(*args, **kwargs)


def reshape(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.reshape``."""
    return x.reshape(*args, **kwargs)


def to(x: Any, *args: Any, **kwargs: Any) -> Any:
    """``x.to``."""
    return x.to(*args, **kwargs)


def reduce_sum(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.sum``."""
    return x.sum(*args, **kwargs)


def reduce_mean(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.mean``."""
    return x.mean(*args, **kwargs)


def argmax(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.argmax``."""
    return x.argmax(*args, **kwargs)


def astype(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.type``."""
    return x.type(*args, **kwargs)


def transpose(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.t``."""
    return x.t(*args, **kwargs)


def expand_dims(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.unsqueeze``."""
    return x.unsqueeze(*args, **kwargs)


def swapaxes(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.swapaxes``."""
    return x.swapaxes(*args, **kwargs)


def repeat(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``x.repeat``."""
    return x.repeat(*args, **kwargs)
