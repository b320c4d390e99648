"""LeNet, one of the first convolutional networks, and a modern variant (section 7.6)."""

from itertools import islice
from types import ModuleType
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution import scratch
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn

MODERN = {
    "activation": "relu",
    "pooling": "max",
    "lr": 0.1,
    **COSINE,
    "batch_size": 128,
}


@system(
    "lenet",
    section="7.6",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    presets={"book": {}, "modern": MODERN},
)
class LeNet(ConvNet):
    """LeNet: two convolutional layers with pooling, three dense ones (section 7.6).

    Args:
        activation: sigmoid as in the book, or relu.
        pooling: avg as in the book, or max.
    """

    activation: str
    pooling: str

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 28,
        num_classes: Count = 10,
        lr: Positive = 0.9,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        pooling: Literal["avg", "max"] = "avg",
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        side = self.final_side([(5, 1, 2), (2, 2, 0), (5, 1, 0), (2, 2, 0)])
        conv = self.layers.Conv2d
        act = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[activation]
        pool = {"avg": self.layers.AvgPool2d, "max": self.layers.MaxPool2d}[pooling]
        self.net = nn.Sequential(
            *(conv(in_channels, 6, kernel_size=5, padding=2), act(), pool(2)),
            *(conv(6, 16, kernel_size=5), act(), pool(2)),
            nn.Flatten(),
            *(nn.Linear(16 * side**2, 120), act()),
            *(nn.Linear(120, 84), act()),
            nn.Linear(84, num_classes),
        )
        init_cnn(self, activation)

    def feature_maps(self, X: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """The outputs of both convolutional layers behind their activations, for looking at."""
        maps = []
        for layer in islice(self.net, 6):
            X = layer(X)
            if isinstance(layer, (nn.Sigmoid, nn.ReLU)):
                maps.append(X)
        return maps


@system("lenet", form="scratch")
class LeNetScratch(LeNet):
    """LeNet with convolution and pooling written from tensors up."""

    layers: ClassVar[ModuleType] = scratch
