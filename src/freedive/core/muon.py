"""Muon: steps of equal length in all directions of a matrix, beside AdamW for what is none."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)  # fastest towards 1 for small singular values; ends near it


def orthogonalized(
    G: Float[Tensor, "rows columns"], steps: int = 5
) -> Float[Tensor, "rows columns"]:
    """U Vᵀ, nearly, for G = U S Vᵀ: every singular value becomes about 1.

    Newton–Schulz: X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, from G of norm 1. An odd polynomial of a
    matrix leaves its singular vectors alone and acts on the singular values.
    """
    a, b, c = QUINTIC
    wide = G.shape[0] <= G.shape[1]
    X = G if wide else G.T
    X = X / (X.norm() + 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = torch.addmm(X, torch.addmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X if wide else X.T


class Muon(torch.optim.AdamW):
    """AdamW, in which the matrices of hidden layers move by their momentum, orthogonalised.

    For a matrix of m × n, with G its gradient:
    M ← μ M + G;  W ← (1 − η λ) W − 0.2 η √max(m, n) · orth(G + μ M).
    The factor makes the steps as long as AdamW's, so that one rate serves both.

    Args:
        matrices: parameters of hidden layers that multiply vectors.
        others: all the rest: tables of vectors, biases, gains, the last layer.
        lr: η of both.
        weight_decay: λ of both, decoupled.
        momentum: μ.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ):
        groups: list[dict[str, Any]] = [
            {"params": list(others)},
            {"params": list(matrices), "momentum": momentum},
        ]
        super().__init__([g for g in groups if g["params"]], lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all parameters that have a gradient."""
        groups = self.param_groups
        try:
            self.param_groups = [g for g in groups if "momentum" not in g]
            result = super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if "momentum" in group:
                for W in group["params"]:
                    if W.grad is not None:
                        self._move(W, W.grad, group)
        return result

    def _move(self, W: Tensor, G: Tensor, group: dict[str, Any]) -> None:
        state = self.state[W]
        if not state:  # Adam's loading wants a count of the steps in every state
            state.update(step=torch.zeros(()), momentum_buffer=torch.zeros_like(W))
        state["step"] += 1
        M = state["momentum_buffer"].mul_(group["momentum"]).add_(G)
        direction = orthogonalized(G.add(M, alpha=group["momentum"]))
        W.mul_(1 - group["lr"] * group["weight_decay"])
        W.add_(direction, alpha=-0.2 * group["lr"] * max(W.shape) ** 0.5)
