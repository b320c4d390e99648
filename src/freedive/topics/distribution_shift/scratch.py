"""Corrections of distribution shift, from tensors up (section 4.7.3).

q is the distribution of the training data, the source; p that of the test data, the target.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.softmax_regression.scratch import log_softmax, softmax


def effective_sample_size(weights: Float[Tensor, " n"]) -> float:
    """(Σ β)² / Σ β²: as many equal examples tell as much as these weighted ones.

    >>> effective_sample_size(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


@dataclass(frozen=True)
class LinearClassifier:
    """Logits XW + b of each class."""

    W: Float[Tensor, "d classes"]
    b: Float[Tensor, " classes"]

    def logits(self, X: Float[Tensor, "n d"]) -> Float[Tensor, "n classes"]:
        """XW + b."""
        return X @ self.W + self.b

    def predict(
        self, X: Float[Tensor, "n d"], beta: Float[Tensor, " classes"] | None = None
    ) -> Int[Tensor, " n"]:
        """The likeliest class; with weights β = p(y)/q(y), where those hold: q(y|x) β ∝ p(y|x)."""
        logits = self.logits(X)
        return (logits if beta is None else logits + beta.log()).argmax(dim=1)


def fit_classifier(
    X: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    num_classes: int,
    weights: Float[Tensor, " n"] | None = None,
    l2: float = 1e-4,
) -> LinearClassifier:
    """The linear classifier of least weighted empirical risk, by Newton's method.

    (1/n) Σ βᵢ l(f(xᵢ), yᵢ) + ½ l2 ‖(W, b)‖², with the cross-entropy as l (section 4.7.3.2). The
    small penalty makes the answer unique: without it, one logit more for all classes costs nothing.

    Args:
        X: the inputs.
        y: their classes, 0 … num_classes − 1.
        num_classes: how many there are.
        weights: βᵢ, not negative; 1 where left out.
        l2: the penalty, above 0.

    Raises:
        UsageError: no examples.
    """
    if not len(X):
        raise UsageError("a classifier wants at least 1 example, got 0: pass a larger sample")
    A = torch.cat([X, torch.ones_like(X[:, :1])], dim=1).double()
    Y = torch.eye(num_classes, dtype=torch.float64)[y]
    beta = torch.ones(len(X)).double() if weights is None else weights.double()
    V = torch.zeros(A.shape[1], num_classes, dtype=torch.float64)
    for _ in range(50):
        gradient = A.T @ (beta[:, None] * (softmax(A @ V) - Y)) / len(A) + l2 * V
        if float(gradient.abs().max()) < 1e-9:
            break
        direction = newton_direction(A, softmax(A @ V), beta, gradient, l2)
        before, size = risk(A, Y, beta, V, l2), 1.0
        while size > 1e-6 and risk(A, Y, beta, V - size * direction, l2) > before:
            size /= 2  # far from the minimum a whole step may jump over it
        V = V - size * direction
    return LinearClassifier(V[:-1].to(X.dtype), V[-1].to(X.dtype))


def risk(
    A: Float[Tensor, "n d"],
    Y: Float[Tensor, "n k"],
    beta: Float[Tensor, " n"],
    V: Float[Tensor, "d k"],
    l2: float,
) -> float:
    """(1/n) Σ βᵢ (−log ŷᵢ) + ½ l2 ‖V‖²."""
    losses = -(Y * log_softmax(A @ V)).sum(dim=1)
    return float((beta * losses).mean() + l2 / 2 * (V**2).sum())


def newton_direction(
    A: Float[Tensor, "n d"],
    P: Float[Tensor, "n k"],
    beta: Float[Tensor, " n"],
    gradient: Float[Tensor, "d k"],
    l2: float,
) -> Float[Tensor, "d k"]:
    """H⁻¹g with H = (1/n) Σ βᵢ xᵢxᵢᵀ ⊗ (diag(pᵢ) − pᵢpᵢᵀ) + l2 I."""
    curvature = torch.diag_embed(P) - P[:, :, None] * P[:, None, :]
    H = torch.einsum("ni,nkl,nj->ikjl", A * beta[:, None], curvature, A) / len(A)
    size = gradient.numel()
    flat = H.reshape(size, size) + l2 * torch.eye(size, dtype=A.dtype)
    return torch.linalg.solve(flat, gradient.reshape(size)).reshape(gradient.shape)


@dataclass(frozen=True)
class DensityRatio:
    """β(x) = p(x)/q(x) from a classifier that tells target inputs, 1, from source inputs, 0.

    Attributes:
        w, b: the classifier's logit, h(x) = wᵀx + b.
        scale: n_q / n_p, which undoes that one sample is larger than the other.
    """

    w: Float[Tensor, " d"]
    b: float
    scale: float

    def logit(self, X: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """h(x), the logarithm of P(target | x) / P(source | x)."""
        return X @ self.w + self.b

    def weights(self, X: Float[Tensor, "n d"], largest: float = math.inf) -> Float[Tensor, " n"]:
        """β = min(exp(h(x)) n_q/n_p, largest)."""
        return (self.scale * self.logit(X).exp()).clamp(max=largest)


def density_ratio(
    source: Float[Tensor, "n d"], target: Float[Tensor, "m d"], l2: float = 1e-4
) -> DensityRatio:
    """Learn p(x)/q(x) from inputs alone, by a logistic classifier (section 4.7.3.2).

    Where no source input lies, no weight can make up for it: p(x) > 0 wants q(x) > 0.

    Args:
        source: training inputs, from q.
        target: test inputs, from p; their labels are not needed.
        l2: the classifier's penalty.

    Raises:
        UsageError: one of the two is empty.
    """
    if not len(source) or not len(target):
        raise UsageError(
            f"a density ratio wants inputs of both sides, got {len(source)} of the source and "
            f"{len(target)} of the target"
        )
    X = torch.cat([source, target])
    side = torch.cat([torch.zeros(len(source)), torch.ones(len(target))]).long()
    found = fit_classifier(X, side, 2, l2=l2)
    w, b = found.W[:, 1] - found.W[:, 0], float(found.b[1] - found.b[0])
    return DensityRatio(w, b, len(source) / len(target))
