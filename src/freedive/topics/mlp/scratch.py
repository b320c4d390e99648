"""Multilayer perceptrons from tensors up (sections 5.2 and 5.6)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.module import Classifier
from freedive.topics.linear_regression.scratch import SGD

# √(2/784) keeps the size of activations; from the book's 0.01 ten epochs can end below 0.84
SIGMA = 0.05


def relu(X: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """max(x, 0); at 0 its gradient is ½, for torch's maximum shares it between equals (5.1.2)."""
    return torch.max(X, torch.zeros_like(X))


def dropout_layer(X: Float[Tensor, "*shape"], dropout: Probability) -> Float[Tensor, "*shape"]:
    """0 with probability p, else x/(1 − p): the mean stays (section 5.6.2)."""
    if not 0 <= dropout <= 1:
        raise UsageError(f"dropout wants a number from 0 to 1, got {dropout!r}")
    if dropout == 1:
        return torch.zeros_like(X)
    # ≥, since rand can give 0 and p = 0 must keep everything
    kept = torch.rand_like(X) >= dropout
    return torch.where(kept, X / (1 - dropout), 0)


def normal_weight(num_inputs: int, num_outputs: int, sigma: float) -> nn.Parameter:
    """A matrix that maps rows of inputs to rows of outputs, drawn from N(0, σ²)."""
    return nn.Parameter(torch.randn(num_inputs, num_outputs) * sigma)


def zero_bias(num_outputs: int) -> nn.Parameter:
    """A bias of zeros."""
    return nn.Parameter(torch.zeros(num_outputs))


@system("mlp", form="scratch")
class MLPScratch(Classifier):
    """A multilayer perceptron with one hidden layer: relu(XW₁ + b₁)W₂ + b₂ (section 5.2).

    Args:
        num_inputs: numbers in an example.
        num_outputs: classes.
        num_hiddens: hidden units.
        lr: the learning rate.
        sigma: standard deviation of the first weights.
    """

    num_inputs: int
    num_outputs: int
    num_hiddens: int
    sigma: float

    def __init__(
        self,
        num_inputs: Count = 784,
        num_outputs: Count = 10,
        num_hiddens: Count = 256,
        lr: Positive = 0.1,
        sigma: NonNegative = SIGMA,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.W1, self.b1 = normal_weight(num_inputs, num_hiddens, sigma), zero_bias(num_hiddens)
        self.W2, self.b2 = normal_weight(num_hiddens, num_outputs, sigma), zero_bias(num_outputs)

    def forward(self, X: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        H = relu(X.flatten(1) @ self.W1 + self.b1)
        return H @ self.W2 + self.b2

    def configure_optimizers(self) -> SGD:
        """The hand-written SGD."""
        return SGD(self.parameters(), self.lr)


@system("dropout-mlp", form="scratch")
class DropoutMLPScratch(Classifier):
    """A multilayer perceptron with two hidden layers and dropout behind each (section 5.6).

    Args:
        num_inputs: numbers in an example.
        num_outputs: classes.
        num_hiddens_1: units of the first hidden layer.
        num_hiddens_2: units of the second hidden layer.
        dropout_1: share of the first layer's units that are dropped in training.
        dropout_2: share of the second layer's units that are dropped in training.
        lr: the learning rate.
        sigma: standard deviation of the first weights.
    """

    num_inputs: int
    num_outputs: int
    num_hiddens_1: int
    num_hiddens_2: int
    dropout_1: float
    dropout_2: float
    sigma: float

    def __init__(
        self,
        num_inputs: Count = 784,
        num_outputs: Count = 10,
        num_hiddens_1: Count = 256,
        num_hiddens_2: Count = 256,
        dropout_1: Probability = 0.5,
        dropout_2: Probability = 0.5,
        lr: Positive = 0.1,
        sigma: NonNegative = SIGMA,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.W1, self.b1 = normal_weight(num_inputs, num_hiddens_1, sigma), zero_bias(num_hiddens_1)
        self.W2 = normal_weight(num_hiddens_1, num_hiddens_2, sigma)
        self.b2 = zero_bias(num_hiddens_2)
        self.W3, self.b3 = normal_weight(num_hiddens_2, num_outputs, sigma), zero_bias(num_outputs)

    def forward(self, X: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch classes"]:
        """The logits; units are dropped in training only."""
        H1 = relu(X.flatten(1) @ self.W1 + self.b1)
        H1 = dropout_layer(H1, self.dropout_1) if self.training else H1
        H2 = relu(H1 @ self.W2 + self.b2)
        H2 = dropout_layer(H2, self.dropout_2) if self.training else H2
        return H2 @ self.W3 + self.b3

    def configure_optimizers(self) -> SGD:
        """The hand-written SGD."""
        return SGD(self.parameters(), self.lr)
