"""How frequent each class is among test data without labels: the confusion-matrix solve (4.7.3.3).

A classifier's mistakes are a property of p(x|y), which label shift leaves alone. So the columns of
its confusion matrix, measured on the source, still hold on the target, and the shares of its
predictions there, μ, mix them by the unknown shares of the classes: C p(y) = μ.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError


def shares(y: Int[Tensor, " n"], num_classes: int) -> Float[Tensor, " classes"]:
    """The share of each class among labels or predictions.

    Raises:
        UsageError: there are none.
    """
    if not len(y):
        raise UsageError("shares want at least 1 label, got 0: pass a larger sample")
    return torch.bincount(y, minlength=num_classes).double() / len(y)


def confusion_matrix(
    y_hat: Int[Tensor, " n"], y: Int[Tensor, " n"], num_classes: int
) -> Float[Tensor, "predicted true"]:
    """C_ij = P(ŷ = i | y = j), from held-out source data; each column sums to 1.

    Raises:
        UsageError: a class has no example.
    """
    counts = torch.bincount(y_hat * num_classes + y, minlength=num_classes**2)
    table = counts.reshape(num_classes, num_classes).double()
    totals = table.sum(dim=0)
    for j in range(num_classes):
        if not totals[j]:
            raise UsageError(
                f"a confusion matrix wants examples of every class, got none of class {j}: pass a "
                f"larger sample, or a larger share of that class"
            )
    return table / totals


def solve(
    A: Float[Tensor, "k k"], b: Float[Tensor, " k"], name: str = "matrix"
) -> Float[Tensor, " k"]:
    """x with Ax = b, by Gaussian elimination; the largest pivot of a column comes first.

    Args:
        A: square.
        b: the right side.
        name: what an error calls A.

    Raises:
        UsageError: A is singular, so that no x or more than one fits.
    """
    k = len(b)
    M = torch.cat([A, b[:, None]], dim=1).double()
    tiny = k * torch.finfo(torch.float64).eps * float(A.abs().max() if k else 0.0)
    for column in range(k):
        pivot = column + int(M[column:, column].abs().argmax())
        if abs(float(M[pivot, column])) <= tiny:
            raise UsageError(
                f"the {name} is singular, its column {column} a mix of those before it: train a "
                f"classifier that tells the classes apart, or merge the classes it confuses"
            )
        M[[column, pivot]] = M[[pivot, column]]
        below = M[column + 1 :, column] / M[column, column]
        M[column + 1 :] -= below[:, None] * M[column]
    x = torch.zeros(k, dtype=torch.float64)
    for row in range(k - 1, -1, -1):
        x[row] = (M[row, k] - M[row, row + 1 : k] @ x[row + 1 :]) / M[row, row]
    return x


def target_prior(C: Float[Tensor, "k k"], mu: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """p(y) with C p(y) = μ(ŷ), made a distribution: below 0 becomes 0, the rest sums to 1.

    Args:
        C: the confusion matrix P(ŷ = i | y = j) of the source.
        mu: the shares of the predictions on the target.

    Raises:
        UsageError: C is singular.
    """
    p = solve(C, mu, "confusion matrix").clamp(min=0)  # samples may push a rare class below 0
    return p / p.sum()


def label_weights(
    p: Float[Tensor, " classes"], q: Float[Tensor, " classes"]
) -> Float[Tensor, " classes"]:
    """β_y = p(y)/q(y); a class that neither side has gets 0 (section 4.7.3.3).

    Raises:
        UsageError: a class of the target is missing from the source.
    """
    for label, (wanted, have) in enumerate(zip(p.tolist(), q.tolist(), strict=True)):
        if wanted > 0 and not have:
            raise UsageError(
                f"class {label} makes up {wanted:g} of the target and 0 of the source: no weight "
                f"brings it back, collect examples of it"
            )
    return torch.where(q > 0, p / q.clamp(min=1e-300), torch.zeros_like(p))
