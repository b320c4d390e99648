"""Powers of the recurrent matrix: why gradients vanish and explode (section 9.7.2).

∂L/∂h_t holds (W_hhᵀ)ᵏ for everything that lies k steps ahead. How its norm goes on is decided by
the largest |λ| among the eigenvalues of W_hh, the spectral radius ρ: ‖Wᵏ‖^(1/k) → ρ.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError


def spectral_radius(W: Float[Tensor, "n n"]) -> float:
    """ρ(W) = max |λ|: an eigenvalue counts by its absolute value, negative or complex."""
    return float(torch.linalg.eigvals(W).abs().max())


def with_radius(W: Float[Tensor, "n n"], radius: float) -> Float[Tensor, "n n"]:
    """W times a number, so that its spectral radius is the given one.

    Raises:
        UsageError: every eigenvalue of W is 0.
    """
    found = spectral_radius(W)
    if found == 0:
        raise UsageError("a matrix whose eigenvalues are all 0 has no scale: pass another one")
    return W * (radius / found)


def shear(eigenvalue: float, coupling: float) -> Float[Tensor, "2 2"]:
    """[[λ, a], [0, λ]], whose k-th power is [[λᵏ, k a λᵏ⁻¹], [0, λᵏ]]: it may grow first."""
    return torch.tensor([[eigenvalue, coupling], [0.0, eigenvalue]], dtype=torch.float64)


def power_norms(W: Float[Tensor, "n n"], steps: int) -> Float[Tensor, "powers"]:
    """‖(Wᵀ)ᵏ‖ for k = 0 … steps: by how much k steps back can lengthen a gradient at most."""
    power, found = torch.eye(len(W)).to(W), []
    for _ in range(steps + 1):
        found.append(power)
        power = power @ W.mT
    return torch.linalg.matrix_norm(torch.stack(found), ord=2)


def tanh_slopes(
    W: Float[Tensor, "n n"], x: Float[Tensor, "steps sequences n"]
) -> Float[Tensor, "steps sequences n"]:
    """1 − h_t² along h_t = tanh(W h_{t−1} + x_t) from h₀ = 0."""
    h, found = torch.zeros_like(x[0]), []
    for x_t in x:
        h = torch.tanh(h @ W.mT + x_t)
        found.append(1 - h**2)
    return torch.stack(found)


def norms_by_distance(
    W: Float[Tensor, "n n"],
    slopes: Float[Tensor, "steps sequences n"],
    g: Float[Tensor, "sequences n"],
) -> Float[Tensor, "distances sequences"]:
    """‖∂L/∂h_{T−k}‖ for k = 0 … T − 1, where only the last state has a loss.

    Goes back by ∂L/∂h_{t−1} = Wᵀ (φ′_t ⊙ ∂L/∂h_t).

    Args:
        W: the recurrent matrix.
        slopes: φ′ at each step; ones for an RNN without activation.
        g: ∂L/∂h_T.
    """
    found = [g]
    for slope in slopes[1:].flip(0):
        found.append((slope * found[-1]) @ W)
    return torch.stack(found).norm(dim=-1)
