"""Where a token stands, for layers that cannot tell by themselves (section 11.6.3).

Tables are buffers: they move with a model and are saved with it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count

BASE = 10_000.0  # the longest wavelength is 2π times that


def angles(num_positions: int, size: int, base: float = BASE) -> Float[Tensor, "positions pairs"]:
    """i ω_j with ω_j = base^(−2j/size): one angle for each position i and pair of columns j.

    In double precision: a single-precision angle of 1,000 is right to 5e-5 only.
    """
    columns = torch.arange(0, size, 2, dtype=torch.float64)
    positions = torch.arange(num_positions, dtype=torch.float64)
    return positions[:, None] / base ** (columns / size)


def waves(num_positions: int, size: int, base: float = BASE) -> Float[Tensor, "positions size"]:
    """p_{i,2j} = sin(i ω_j), p_{i,2j+1} = cos(i ω_j), in double precision.

    An odd size leaves the last cosine out.
    """
    turned = angles(num_positions, size, base)
    return torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(1)[:, :size]


def sinusoids(num_positions: int, size: int, base: float = BASE) -> Float[Tensor, "positions size"]:
    """`waves` in torch's default type."""
    return waves(num_positions, size, base).to(torch.get_default_dtype())


def rotation(delta: int, size: int, base: float = BASE) -> Float[Tensor, "size size"]:
    """R_δ with p_{i+δ} = R_δ p_i for every i: each pair turns by δ ω_j (11.6.3.4)."""
    cos, sin = (f(angles(delta + 1, size, base)[delta]) for f in (torch.cos, torch.sin))
    pairs = torch.stack([torch.stack([cos, sin], dim=-1), torch.stack([-sin, cos], dim=-1)], dim=1)
    return torch.block_diag(*pairs)


class Positions(nn.Module):
    """Base of what is added to the tokens' vectors: a row for each position."""

    def __init__(self, max_len: Count):
        super().__init__()
        self.max_len = max_len

    def table(self) -> Float[Tensor, "max_len h"]:
        """The rows."""
        raise NotImplementedError(f"{type(self).__name__} wants a table()")

    def forward(
        self, X: Float[Tensor, "batch steps h"], start: int = 0
    ) -> Float[Tensor, "batch steps h"]:
        """x_i + p_i; the first step is at position ``start``.

        Raises:
            UsageError: the sequence is longer than the table.
        """
        check_positions(start + X.shape[1], self.max_len)
        return X + self.table()[start : start + X.shape[1]].to(X.dtype)


class SinusoidalPositions(Positions):
    """Sines and cosines of falling frequency (section 11.6.3.2).

    Args:
        num_hiddens: width; an odd one has a sine more than cosines.
        max_len: positions.
    """

    P: Tensor

    def __init__(self, num_hiddens: Count, max_len: Count = 1000):
        super().__init__(max_len)
        self.register_buffer("P", sinusoids(max_len, num_hiddens))

    def table(self) -> Float[Tensor, "max_len h"]:
        """The waves."""
        return self.P


class LearntPositions(Positions):
    """A vector for each position, learnt like those of the tokens.

    Args:
        num_hiddens: width.
        max_len: positions.
    """

    def __init__(self, num_hiddens: Count, max_len: Count = 1000):
        super().__init__(max_len)
        self.weight = nn.Parameter(torch.randn(max_len, num_hiddens) * 0.02)

    def table(self) -> Float[Tensor, "max_len h"]:
        """The parameters."""
        return self.weight


class RotaryPositions(nn.Module):
    """Rotates queries and keys by angles that grow with the position: RoPE (Su et al., 2021).

    (x_j, x_{j+d/2}) turns by i ω_j; the product of a query and a key then depends only on how far
    they are apart. An odd width leaves its last column as it is.

    Args:
        size: width of a head.
        max_len: positions.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, size: Count, max_len: Count = 1000):
        super().__init__()
        self.size, self.max_len, self.num_pairs = size, max_len, size // 2
        turned = angles(max_len, 2 * self.num_pairs)
        dtype = torch.get_default_dtype()
        self.register_buffer("cos", turned.cos().to(dtype))
        self.register_buffer("sin", turned.sin().to(dtype))

    def forward(
        self, X: Float[Tensor, "*batch steps d"], start: int = 0
    ) -> Float[Tensor, "*batch steps d"]:
        """The rows turned; the first step is at position ``start``."""
        steps = X.shape[-2]
        check_positions(start + steps, self.max_len)
        cos, sin = (part[start : start + steps].to(X.dtype) for part in (self.cos, self.sin))
        a, b, rest = X.split(
            [self.num_pairs, self.num_pairs, X.shape[-1] - 2 * self.num_pairs], dim=-1
        )
        return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], dim=-1)


def check_positions(steps: int, max_len: int) -> None:
    """Raise `UsageError` for a sequence that is longer than a table of positions."""
    if steps > max_len:
        raise UsageError(
            f"a sequence of {steps} tokens is longer than the {max_len} positions of this model: "
            f"shorten it, or pass max_len={steps}"
        )
