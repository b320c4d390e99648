"""What an ℓ₂ and an ℓ₁ penalty make of least squares: ridge and lasso (sections 3.7.1, 5.5.4).

Both minimise (1/n) Σ ½(xᵀw − y)² + a penalty on w; a bias is left to the caller's centring.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError


def ridge(
    X: Float[Tensor, "n num_inputs"], y: Float[Tensor, " n"], lambd: float
) -> Float[Tensor, " num_inputs"]:
    """The minimum with ½λ‖w‖²: (XᵀX/n + λI)⁻¹ Xᵀy/n.

    Raises:
        UsageError: a λ that is not above 0; without it there may be no single minimum.
    """
    if not lambd > 0:
        raise UsageError(f"ridge wants a lambd above 0, got {lambd:g}: use least_squares for 0")
    n, num_inputs = X.shape
    A = X.T @ X / n + lambd * torch.eye(num_inputs, dtype=X.dtype)
    return torch.linalg.solve(A, X.T @ y / n)


def soft_threshold(v: Float[Tensor, "*shape"], t: float) -> Float[Tensor, "*shape"]:
    """sign(v) max(|v| − t, 0): the step that an ℓ₁ penalty asks for; it ends at exactly 0."""
    return v.sign() * (v.abs() - t).clamp(min=0)


def lasso(
    X: Float[Tensor, "n num_inputs"], y: Float[Tensor, " n"], lambd: float, steps: int = 2000
) -> Float[Tensor, " num_inputs"]:
    """The minimum with λ‖w‖₁, by gradient steps that each end in a soft threshold.

    Args:
        X, y: the examples.
        lambd: λ.
        steps: how many steps, each 1/(largest eigenvalue of XᵀX/n) long.
    """
    n, num_inputs = X.shape
    A, c = X.T @ X / n, X.T @ y / n
    size = 1 / float(torch.linalg.matrix_norm(A, 2).clamp(min=1e-12))
    w = v = torch.zeros(num_inputs, dtype=X.dtype)
    for k in range(1, steps + 1):
        moved = soft_threshold(v - size * (A @ v - c), size * lambd)
        v = moved + (k - 1) / (k + 2) * (moved - w)  # Nesterov's momentum
        w = moved
    return w
