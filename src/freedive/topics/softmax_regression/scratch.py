"""Softmax regression from tensors up (section 4.4)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Classifier, refuse_other_classes
from freedive.topics.linear_regression.scratch import SGD


def naive_softmax(X: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """exp(o_j) / Σ_k exp(o_k), as it is written: overflows for logits near 88 (section 4.4.1)."""
    X_exp = torch.exp(X)
    return X_exp / X_exp.sum(dim=-1, keepdim=True)


def softmax(X: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """exp(o_j − ō) / Σ_k exp(o_k − ō) with ō the largest logit: never overflows (section 4.5.2)."""
    return naive_softmax(X - X.amax(dim=-1, keepdim=True))


def log_softmax(X: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """o_j − ō − log Σ_k exp(o_k − ō): takes no logarithm of 0 (section 4.5.2)."""
    shifted = X - X.amax(dim=-1, keepdim=True)
    return shifted - torch.exp(shifted).sum(dim=-1, keepdim=True).log()


def cross_entropy(y_hat: Float[Tensor, "n classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """The mean of −log ŷ_y; ŷ are probabilities, not logits (section 4.4.3).

    >>> y_hat = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    >>> cross_entropy(y_hat, torch.tensor([0, 2]))
    tensor(1.4979)
    """
    return -torch.log(y_hat.gather(1, y[:, None])).mean()


@system("softmax-regression", form="scratch")
class SoftmaxRegressionScratch(Classifier):
    """Softmax regression: logits XW + b of flattened inputs (section 4.4).

    Args:
        num_inputs: numbers in an example.
        num_outputs: classes.
        lr: the learning rate.
        sigma: standard deviation of the first weights.
    """

    num_inputs: int
    num_outputs: int
    sigma: float

    def __init__(
        self,
        num_inputs: Count = 784,
        num_outputs: Count = 10,
        lr: Positive = 0.1,
        sigma: NonNegative = 0.01,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.W = nn.Parameter(torch.randn(num_inputs, num_outputs) * sigma)
        self.b = nn.Parameter(torch.zeros(num_outputs))

    def forward(self, X: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch classes"]:
        """The logits; `softmax` makes probabilities of them."""
        return X.flatten(1) @ self.W + self.b

    def loss(
        self,
        y_hat: Float[Tensor, "*batch classes"],
        y: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
        averaged: bool = True,
    ) -> Tensor:
        """Cross-entropy of logits: −log softmax(o)_y, or −Σ p log softmax(o) for targets p."""
        refuse_other_classes(y_hat, y)
        log_probs = log_softmax(y_hat.reshape(-1, y_hat.shape[-1]))
        if y.is_floating_point():
            losses = -(y.reshape(log_probs.shape) * log_probs).sum(dim=1)
        else:
            losses = -log_probs.gather(1, y.reshape(-1, 1))[:, 0]
        return losses.mean() if averaged else losses

    def configure_optimizers(self) -> SGD:
        """The hand-written SGD."""
        return SGD(self.parameters(), self.lr)
