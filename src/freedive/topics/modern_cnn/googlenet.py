"""GoogLeNet: windows of several sizes side by side (section 8.4)."""

from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution import concise
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn

Branches = tuple[int, tuple[int, int], tuple[int, int], int]  # c1, c2, c3, c4 of a block

STAGES: tuple[tuple[Branches, ...], ...] = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)


class Inception(nn.Module):
    """Four branches over the same image, whose channels are put together (section 8.4.1).

    1×1; 1×1 → 3×3; 1×1 → 5×5; 3×3 maximum → 1×1. Height and width stay.

    Args:
        in_channels: channels that come in.
        c1: output channels of the first branch.
        c2: of both convolutions of the second.
        c3: of both convolutions of the third.
        c4: of the fourth.
        layers: where Conv2d and MaxPool2d come from.
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        c2: tuple[int, int],
        c3: tuple[int, int],
        c4: int,
        layers: ModuleType = concise,
    ):
        super().__init__()
        conv = layers.Conv2d
        self.out_channels = c1 + c2[1] + c3[1] + c4
        self.b1 = nn.Sequential(conv(in_channels, c1, kernel_size=1), nn.ReLU())
        self.b2 = nn.Sequential(
            *(conv(in_channels, c2[0], kernel_size=1), nn.ReLU()),
            *(conv(c2[0], c2[1], kernel_size=3, padding=1), nn.ReLU()),
        )
        self.b3 = nn.Sequential(
            *(conv(in_channels, c3[0], kernel_size=1), nn.ReLU()),
            *(conv(c3[0], c3[1], kernel_size=5, padding=2), nn.ReLU()),
        )
        self.b4 = nn.Sequential(
            layers.MaxPool2d(kernel_size=3, stride=1, padding=1),
            *(conv(in_channels, c4, kernel_size=1), nn.ReLU()),
        )

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        """The channels of all four branches."""
        return torch.cat([self.b1(X), self.b2(X), self.b3(X), self.b4(X)], dim=1)


def scaled(branches: Branches, width: float) -> Branches:
    """The channels of a block times ``width``, at least one each."""
    c1, c2, c3, c4 = branches

    def times(channels: int) -> int:
        return max(1, round(width * channels))

    return times(c1), (times(c2[0]), times(c2[1])), (times(c3[0]), times(c3[1])), times(c4)


@system(
    "googlenet",
    section="8.4",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 96, "batch_size": 128},
    presets={
        "book": {},
        "small": {
            "resize": None,
            "width": 0.25,
            "first_kernel": 3,
            "first_stride": 1,
            "lr": 0.03,
            **COSINE,
            "max_epochs": 8,
        },
    },
)
class GoogLeNet(ConvNet):
    """GoogLeNet: nine Inception blocks in three stages, then the mean (section 8.4).

    Args:
        width: what all numbers of channels are multiplied by.
        first_kernel: window of the first convolution.
        first_stride: its stride.
    """

    any_size = True

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        width: Positive = 1.0,
        first_kernel: Count = 7,
        first_stride: Count = 2,
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        conv, pool = self.layers.Conv2d, self.layers.MaxPool2d
        c1, c2 = (max(1, round(width * c)) for c in (64, 192))
        stages, channels = [], c2
        for stage in STAGES:
            blocks: list[Inception] = []
            for branches in stage:
                blocks.append(Inception(channels, *scaled(branches, width), self.layers))
                channels = blocks[-1].out_channels
            stages.append(blocks)
        first = (first_kernel, first_stride, first_kernel // 2)
        halve = {"kernel_size": 3, "stride": 2, "padding": 1}
        self.net = nn.Sequential(
            nn.Sequential(conv(in_channels, c1, *first), nn.ReLU(), pool(**halve)),
            nn.Sequential(
                *(conv(c1, c1, kernel_size=1), nn.ReLU()),
                *(conv(c1, c2, kernel_size=3, padding=1), nn.ReLU(), pool(**halve)),
            ),
            nn.Sequential(*stages[0], pool(**halve)),
            nn.Sequential(*stages[1], pool(**halve)),
            nn.Sequential(*stages[2], nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()),
            nn.Linear(channels, num_classes),
        )
        init_cnn(self, "relu")
