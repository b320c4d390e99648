"""LeNet, one of the first convolutional networks, and a modern variant (section 7.6)."""

from itertools import islice
from types import ModuleType
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from freedive.catalog import system
from freedive.core.callbacks import CosineSchedule
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.module import Classifier
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution import concise, scratch

MODERN = {
    "activation": "relu",
    "pooling": "max",
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "batch_size": 128,
}


def init_cnn(module: nn.Module, activation: Literal["sigmoid", "relu"] = "sigmoid") -> None:
    """Initialise the weights of linear and convolutional layers; biases stay as they are.

    Xavier's U(±√(6/(n_in + n_out))) for sigmoid, He's N(0, 2/n_in) for ReLU (sections 5.4, 8.6).
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, scratch.Conv2d)):
            if activation == "relu":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)


@system(
    "lenet",
    section="7.6",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    presets={"book": {}, "modern": MODERN},
)
class LeNet(Classifier):
    """LeNet: two convolutional layers with pooling, three dense ones (section 7.6).

    Args:
        in_channels: channels of an image.
        image_size: height and width of an image.
        num_classes: classes.
        lr: the learning rate, or its peak where there is a schedule.
        momentum: of SGD; above 0 it is Nesterov's.
        weight_decay: λ of the L2 penalty.
        activation: sigmoid as in the book, or relu.
        pooling: avg as in the book, or max.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
    """

    layers: ClassVar[ModuleType] = concise  # where Conv2d, MaxPool2d and AvgPool2d come from
    net: nn.Sequential
    in_channels: int
    image_size: int
    num_classes: int
    momentum: float
    weight_decay: float
    activation: str
    pooling: str
    schedule: str

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
        schedule: Literal["constant", "cosine"] = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        side = (image_size // 2 - 4) // 2  # after both convolutions and both poolings
        if side < 1:
            raise UsageError(
                f"LeNet wants images of at least 12×12, got {image_size}×{image_size}: "
                "pass resize=28 to the data"
            )
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

    def configure_optimizers(self) -> Any:
        """SGD with the book's constant rate, or with momentum and a schedule over all steps."""
        optim = torch.optim.SGD(
            self.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.momentum > 0,
        )
        trainer = self.trainer
        if self.schedule == "constant" or trainer is None:
            return optim
        factor = CosineSchedule(trainer.max_epochs, warmup_epochs=trainer.max_epochs / 5).factor
        # the trainer's clock, not a count of steps: a resumed run may have more epochs
        scheduler = LambdaLR(optim, lambda step: factor(trainer.epochs_passed))
        return {"optimizer": optim, "scheduler": scheduler, "interval": "step"}

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
