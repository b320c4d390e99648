"""From a dense layer on images to a convolution, one restriction after the other (section 7.1)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def dense_layer(
    W: Float[Tensor, "new_height new_width height width"],
    X: Float[Tensor, "height width"],
    U: Float[Tensor, "new_height new_width"] | float = 0.0,
) -> Float[Tensor, "new_height new_width"]:
    """A dense layer from all pixels to all units, h_ij = u_ij + Σ_kl w_ijkl x_kl (section 7.1)."""
    return U + torch.einsum("ijkl,kl->ij", W, X)


def offsets(n: int) -> Int[Tensor, "n n"]:
    """How far pixel k lies behind unit i, a = k − i, as an index from 0 to 2n − 2."""
    return torch.arange(n) - torch.arange(n)[:, None] + n - 1


def by_offset(V: Float[Tensor, "offsets offsets"]) -> Float[Tensor, "n n n n"]:
    """Translation equivariance: one weight for each offset, w_ijkl = v_(k−i)(l−j) (section 7.1.2).

    ``V`` has a row for each offset from −(n − 1) to n − 1, and as many columns.
    """
    a = offsets((len(V) + 1) // 2)
    return V[a[:, None, :, None], a[None, :, None, :]]


def local(kernel: Float[Tensor, "kernel kernel"], n: int) -> Float[Tensor, "offsets offsets"]:
    """Locality: weights that vanish farther than Δ away, for a kernel of 2Δ + 1 (section 7.1.2)."""
    return torch.constant_pad_nd(kernel, (n - 1 - len(kernel) // 2,) * 4)


def shifted(
    X: Float[Tensor, "height width"], down: int, right: int
) -> Float[Tensor, "height width"]:
    """The image moved, over black; what leaves it is lost."""
    return torch.constant_pad_nd(X, (right, -right, down, -down))


def counts(n: int, delta: int) -> tuple[int, int, int]:
    """Weights for images of n × n pixels: dense, one for each offset, and only those near."""
    return n**4, (2 * n - 1) ** 2, min(2 * delta + 1, 2 * n - 1) ** 2
