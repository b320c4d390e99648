"""Softmax regression with torch.nn (section 4.5)."""

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive
from freedive.core.module import Classifier
from freedive.data.fashion_mnist import FashionMNIST


@system("softmax-regression", section="4.5", data=FashionMNIST, trainer={"max_epochs": 10})
class SoftmaxRegression(Classifier):
    """Softmax regression: a linear classifier with cross-entropy loss (section 4.5).

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
        linear = nn.Linear(num_inputs, num_outputs)
        nn.init.normal_(linear.weight, std=sigma)
        nn.init.zeros_(linear.bias)
        self.net = nn.Sequential(nn.Flatten(), linear)
