"""LeNet with batch normalisation behind every layer but the last (sections 8.5.4 and 8.5.5)."""

from types import ModuleType
from typing import ClassVar, Literal

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn
from freedive.topics.modern_cnn import concise, scratch

SMALL = {
    "activation": "relu",
    "pooling": "max",
    "padding": 2,
    "lr": 0.1,
    **COSINE,
    "max_epochs": 4,
}


@system(
    "lenet-bn",
    section="8.5",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"batch_size": 128},
    presets={"book": {}, "small": SMALL},
)
class BNLeNet(ConvNet):
    """LeNet with batch norm between every layer and its activation (section 8.5).

    The book leaves out the padding that LeNet has; ``padding=2`` puts it back, so that batch norm
    is all in which the two differ.

    Args:
        padding: rows and columns of zeros around an image.
        activation: sigmoid as in the book, or relu.
        pooling: avg as in the book, or max.
    """

    layers: ClassVar[ModuleType] = concise
    padding: int
    activation: str
    pooling: str

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 28,
        num_classes: Count = 10,
        padding: Whole = 0,
        lr: Positive = 0.1,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        pooling: Literal["avg", "max"] = "avg",
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        side = self.final_side([(5, 1, padding), (2, 2, 0), (5, 1, 0), (2, 2, 0)])
        conv, bn1, bn2 = self.layers.Conv2d, self.layers.BatchNorm1d, self.layers.BatchNorm2d
        act = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[activation]
        pool = {"avg": self.layers.AvgPool2d, "max": self.layers.MaxPool2d}[pooling]
        self.net = nn.Sequential(
            *(conv(in_channels, 6, kernel_size=5, padding=padding), bn2(6), act(), pool(2)),
            *(conv(6, 16, kernel_size=5), bn2(16), act(), pool(2)),
            nn.Flatten(),
            *(nn.Linear(16 * side**2, 120), bn1(120), act()),
            *(nn.Linear(120, 84), bn1(84), act()),
            nn.Linear(84, num_classes),
        )
        init_cnn(self, activation)


@system("lenet-bn", form="scratch")
class BNLeNetScratch(BNLeNet):
    """LeNet with convolution, pooling and batch norm written from tensors up."""

    layers: ClassVar[ModuleType] = scratch
