"""VGG: networks made of blocks (section 8.2)."""

from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution import concise
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn

BLOCKS = 5  # each halves height and width
SETTINGS: dict[str, Any] = {
    "section": "8.2",
    "data": FashionMNIST,
    "trainer": {"max_epochs": 10},
    "data_settings": {"resize": 224, "batch_size": 128},
    "presets": {
        "book": {"width": 16},
        "small": {
            "resize": 32,
            "width": 12,
            "num_hiddens": 128,
            "dropout": 0.2,
            "lr": 0.02,
            **COSINE,
            "max_epochs": 5,
        },
    },
}


def vgg_block(
    num_convs: int, in_channels: int, out_channels: int, layers: ModuleType = concise
) -> nn.Sequential:
    """Convolutions of 3×3 that keep the size, each with a ReLU; then a pooling that halves it."""
    block: list[nn.Module] = []
    for _ in range(num_convs):
        block += [layers.Conv2d(in_channels, out_channels, kernel_size=3, padding=1), nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*block, layers.MaxPool2d(kernel_size=2, stride=2))


class VGG(ConvNet):
    """VGG: five blocks of small convolutions, then three dense layers (section 8.2).

    Args:
        width: channels of the first block; they double from block to block, up to eightfold.
        num_hiddens: units of each of the two dense layers before the last.
        dropout: share of them that is dropped.
    """

    num_convs: ClassVar[tuple[int, ...]]  # of each block

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 224,
        num_classes: Count = 10,
        width: Count = 64,
        num_hiddens: Count = 4096,
        dropout: Probability = 0.5,
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        side = self.final_side([(2, 2, 0)] * BLOCKS)
        channels = [in_channels, *(width * min(2**i, 8) for i in range(BLOCKS))]
        blocks = zip(self.num_convs, pairwise(channels), strict=True)
        self.net = nn.Sequential(
            *(vgg_block(num_convs, *pair, self.layers) for num_convs, pair in blocks),
            nn.Flatten(),
            *(nn.Linear(channels[-1] * side**2, num_hiddens), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(num_hiddens, num_hiddens), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(num_hiddens, num_classes),
        )
        init_cnn(self, "relu")


@system("vgg11", **SETTINGS)
class VGG11(VGG):
    """VGG-11: eight convolutions of 3×3 in five blocks, three dense layers (section 8.2)."""

    num_convs = (1, 1, 2, 2, 2)


@system("vgg13", **SETTINGS)
class VGG13(VGG):
    """VGG-13: two convolutions in each of the five blocks (section 8.2)."""

    num_convs = (2, 2, 2, 2, 2)


@system("vgg16", **SETTINGS)
class VGG16(VGG):
    """VGG-16: two or three convolutions in a block (section 8.2)."""

    num_convs = (2, 2, 3, 3, 3)


@system("vgg19", **SETTINGS)
class VGG19(VGG):
    """VGG-19: two or four convolutions in a block (section 8.2)."""

    num_convs = (2, 2, 4, 4, 4)
