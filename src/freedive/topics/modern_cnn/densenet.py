"""DenseNet: every layer sees the outputs of all before it (section 8.7)."""

from types import ModuleType
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn
from freedive.topics.modern_cnn import concise, scratch
from freedive.topics.modern_cnn.resnet import Stem, stem_block


def conv_block(in_channels: int, num_channels: int, layers: ModuleType = concise) -> nn.Sequential:
    """Batch norm, ReLU and a convolution of 3×3 that keeps the size (section 8.7.2)."""
    return nn.Sequential(
        *(layers.BatchNorm2d(in_channels), nn.ReLU()),
        layers.Conv2d(in_channels, num_channels, kernel_size=3, padding=1),
    )


class DenseBlock(nn.Module):
    """Convolutions of which each adds ``growth_rate`` channels to all before it (section 8.7.2).

    Args:
        num_convs: L, how many.
        in_channels: c, channels that come in.
        growth_rate: g; c + L·g channels go out.
        layers: where Conv2d and BatchNorm2d come from.
    """

    def __init__(
        self, num_convs: int, in_channels: int, growth_rate: int, layers: ModuleType = concise
    ):
        super().__init__()
        widths = range(in_channels, in_channels + num_convs * growth_rate, growth_rate)
        self.net = nn.Sequential(*(conv_block(c, growth_rate, layers) for c in widths))
        self.out_channels = in_channels + num_convs * growth_rate

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        """The input and the outputs of all convolutions, side by side."""
        for block in self.net:
            X = torch.cat([X, block(X)], dim=1)
        return X


def transition_block(
    in_channels: int, num_channels: int, layers: ModuleType = concise
) -> nn.Sequential:
    """Fewer channels by a convolution of 1×1, half the size by an average (section 8.7.3)."""
    return nn.Sequential(
        *(layers.BatchNorm2d(in_channels), nn.ReLU()),
        layers.Conv2d(in_channels, num_channels, kernel_size=1),
        layers.AvgPool2d(kernel_size=2, stride=2),
    )


@system(
    "densenet",
    section="8.7",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 96, "batch_size": 128},
    presets={
        "book": {},
        "small": {
            "resize": None,
            "num_channels": 16,
            "growth_rate": 12,
            "num_convs": (3, 3, 3),
            "stem": "small",
            "lr": 0.1,
            **COSINE,
            "max_epochs": 5,
        },
    },
)
class DenseNet(ConvNet):
    """DenseNet: four dense blocks, with transitions that halve what grew (section 8.7).

    Args:
        num_channels: channels of the stem.
        growth_rate: channels that each convolution adds.
        num_convs: convolutions of each dense block.
        stem: large (7×7, a quarter of the size) or small (3×3, half of it).
    """

    any_size = True
    layers: ClassVar[ModuleType] = concise

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        num_channels: Count = 64,
        growth_rate: Count = 32,
        num_convs: tuple[int, ...] = (4, 4, 4, 4),
        stem: Stem = "large",
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        stem_windows = [(7, 2, 3), (3, 2, 1)] if stem == "large" else [(3, 1, 1), (2, 2, 0)]
        self.final_side([*stem_windows, *[(2, 2, 0)] * (len(num_convs) - 1)])
        self.net = nn.Sequential(stem_block(in_channels, num_channels, stem, self.layers))
        channels = num_channels
        for i, convs in enumerate(num_convs):
            if i:
                self.net.append(transition_block(channels, channels // 2, self.layers))
                channels //= 2
            block = DenseBlock(convs, channels, growth_rate, self.layers)
            self.net.append(block)
            channels = block.out_channels
        self.net.append(
            nn.Sequential(
                *(self.layers.BatchNorm2d(channels), nn.ReLU()),
                *(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()),
                nn.Linear(channels, num_classes),
            )
        )
        init_cnn(self, "relu")


@system("densenet", form="scratch")
class DenseNetScratch(DenseNet):
    """DenseNet with convolution, pooling and batch norm written from tensors up."""

    layers: ClassVar[ModuleType] = scratch
