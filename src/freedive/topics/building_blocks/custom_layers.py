"""Layers of one's own, without and with parameters (section 6.5)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.hyperparameters import Count, check_arguments


class CenteredLayer(nn.Module):
    """X − mean(X): a layer without parameters; the mean is that of all numbers in the batch."""

    def forward(self, X: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Numbers whose mean is 0."""
        return X - X.mean()


class Linear(nn.Module):
    """XW + b, with the parameters themselves in the formula, so that gradients reach them.

    Args:
        num_inputs: length of an input.
        num_outputs: length of an output.
        bias: whether there is a b.
    """

    def __init__(self, num_inputs: Count, num_outputs: Count, bias: bool = True):
        super().__init__()
        given = {"num_inputs": num_inputs, "num_outputs": num_outputs}
        check_arguments(type(self).__init__, given)
        self.weight = nn.Parameter(torch.randn(num_inputs, num_outputs) / math.sqrt(num_inputs))
        self.bias = nn.Parameter(torch.zeros(num_outputs)) if bias else None

    def forward(self, X: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """XW + b."""
        return X @ self.weight if self.bias is None else X @ self.weight + self.bias


class Bilinear(nn.Module):
    """y_k = Σ_ij W_ijk x_i x_j: every product of two inputs has a weight in every output.

    Args:
        num_inputs: length of an input.
        num_outputs: length of an output.
    """

    def __init__(self, num_inputs: Count, num_outputs: Count):
        super().__init__()
        given = {"num_inputs": num_inputs, "num_outputs": num_outputs}
        check_arguments(type(self).__init__, given)
        self.weight = nn.Parameter(torch.randn(num_inputs, num_inputs, num_outputs) / num_inputs)

    def forward(self, X: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Both sums at once."""
        return torch.einsum("ijk,bi,bj->bk", self.weight, X, X)


class RealFourier(nn.Module):
    """The first half of a signal's Fourier coefficients: Σ_t x_t e^(−2πi kt/n) for k ≤ n/2.

    The others are these, conjugated, for the signal is real. What comes out is real too: the real
    parts followed by the imaginary parts, or the magnitudes.

    Args:
        num_inputs: length n of a signal.
        magnitudes: give |c_k| instead of the two parts.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, num_inputs: Count, magnitudes: bool = False):
        super().__init__()
        check_arguments(type(self).__init__, {"num_inputs": num_inputs})
        self.magnitudes = magnitudes
        time, frequency = torch.arange(num_inputs), torch.arange(num_inputs // 2 + 1)
        # whole turns are taken off while the numbers are whole: nothing is lost in long signals
        turns = torch.outer(time, frequency) % num_inputs
        angle = 2 * math.pi * turns.double() / num_inputs
        # they follow from the length: nothing to save, but they go along to a device
        dtype = torch.get_default_dtype()
        self.register_buffer("cos", angle.cos().to(dtype), persistent=False)
        self.register_buffer("sin", angle.sin().to(dtype), persistent=False)

    def forward(self, X: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch frequencies"]:
        """n // 2 + 1 magnitudes, or twice as many parts."""
        real, imaginary = X @ self.cos, -(X @ self.sin)
        if self.magnitudes:
            # not a square root of squares, whose gradient at 0 is not a number
            return torch.complex(real, imaginary).abs()
        return torch.cat([real, imaginary], dim=-1)
