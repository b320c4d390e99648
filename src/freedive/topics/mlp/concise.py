"""Multilayer perceptrons with torch.nn (sections 5.2 and 5.6)."""

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.module import Classifier
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.mlp.scratch import SIGMA

BOOK = {"book": {"sigma": 0.01}}


def normal_linear(num_inputs: int, num_outputs: int, sigma: float) -> nn.Linear:
    """A linear layer with weights drawn from N(0, σ²) and a bias of zeros."""
    layer = nn.Linear(num_inputs, num_outputs)
    nn.init.normal_(layer.weight, std=sigma)
    nn.init.zeros_(layer.bias)
    return layer


@system("mlp", section="5.2", data=FashionMNIST, trainer={"max_epochs": 10}, presets=BOOK)
class MLP(Classifier):
    """A multilayer perceptron with one hidden layer (section 5.2).

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
        self.net = nn.Sequential(
            nn.Flatten(),
            normal_linear(num_inputs, num_hiddens, sigma),
            nn.ReLU(),
            normal_linear(num_hiddens, num_outputs, sigma),
        )


@system("dropout-mlp", section="5.6", data=FashionMNIST, trainer={"max_epochs": 10}, presets=BOOK)
class DropoutMLP(Classifier):
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
        self.net = nn.Sequential(
            nn.Flatten(),
            normal_linear(num_inputs, num_hiddens_1, sigma),
            nn.ReLU(),
            nn.Dropout(dropout_1),
            normal_linear(num_hiddens_1, num_hiddens_2, sigma),
            nn.ReLU(),
            nn.Dropout(dropout_2),
            normal_linear(num_hiddens_2, num_outputs, sigma),
        )
