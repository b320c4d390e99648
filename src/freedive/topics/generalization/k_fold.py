"""K-fold cross-validation: every example judges once, and teaches K − 1 times (3.6.3.1)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.random import generator

Split = tuple[Int[Tensor, " train"], Int[Tensor, " val"]]
Errors = tuple[float, float]


def k_fold(num_examples: int, num_folds: int, seed: int = 0) -> list[Split]:
    """Shuffle the examples, cut them into K folds, and let each fold validate once.

    The validation parts are disjoint and together hold every example; their sizes differ by one
    at most, so K need not divide the number of examples.

    Args:
        num_examples: how many there are.
        num_folds: K, the number of parts; one for each example is leave-one-out.
        seed: of the shuffling.

    Returns:
        K pairs of indices, to train with and to validate with.

    Raises:
        UsageError: fewer than two folds, or more folds than examples.
    """
    if num_folds < 2:
        raise UsageError(f"cross-validation wants at least 2 folds, got {num_folds}")
    if num_folds > num_examples:
        raise UsageError(
            f"{num_folds} folds want at least {num_folds} examples, got {num_examples}: pass at "
            "most as many folds as there are examples"
        )
    shuffled = torch.randperm(num_examples, generator=generator(seed))
    folds = shuffled.tensor_split(num_folds)
    return [(torch.cat(folds[:k] + folds[k + 1 :]), fold) for k, fold in enumerate(folds)]


@dataclass(frozen=True)
class CrossValidation:
    """What K trainings found.

    Attributes:
        train: the training error of each.
        val: the error of each on the fold it had not seen.
        sizes: examples in each validation fold.
    """

    train: Float[Tensor, " folds"]
    val: Float[Tensor, " folds"]
    sizes: Int[Tensor, " folds"]

    @property
    def train_error(self) -> float:
        """The mean training error."""
        return float(self.train.mean())

    @property
    def val_error(self) -> float:
        """The mean over all examples, each judged once, so that an uneven fold counts rightly."""
        return float((self.val * self.sizes).sum() / self.sizes.sum())


def cross_validate(
    fit: Callable[[Int[Tensor, " train"], Int[Tensor, " val"]], Errors],
    num_examples: int,
    num_folds: int,
    seed: int = 0,
) -> CrossValidation:
    """Train once a fold and average.

    Args:
        fit: trains afresh on the first indices; gives the mean error on these and on the second.
        num_examples: how many there are.
        num_folds: K.
        seed: of the shuffling.
    """
    splits = k_fold(num_examples, num_folds, seed)
    train, val = zip(*(fit(*split) for split in splits), strict=True)
    sizes = torch.tensor([len(held_out) for _, held_out in splits])
    return CrossValidation(
        torch.tensor(train, dtype=torch.float64), torch.tensor(val, dtype=torch.float64), sizes
    )
