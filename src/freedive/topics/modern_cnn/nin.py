"""Network in Network: no dense layer at all (section 8.3)."""

from types import ModuleType

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution import concise
from freedive.topics.convolution.convnet import COSINE, ConvNet, Window, init_cnn


def nin_block(
    in_channels: int,
    out_channels: int,
    window: Window,
    layers: ModuleType = concise,
    final_relu: bool = True,
) -> nn.Sequential:
    """A convolution and two of 1×1, which are a dense network for the channels of each pixel.

    Args:
        in_channels: channels that come in.
        out_channels: of all three convolutions.
        window: kernel size, stride and padding of the first one.
        layers: where Conv2d comes from.
        final_relu: put a ReLU behind the last convolution too.
    """
    conv = layers.Conv2d
    block = [
        *(conv(in_channels, out_channels, *window), nn.ReLU()),
        *(conv(out_channels, out_channels, kernel_size=1), nn.ReLU()),
        *(conv(out_channels, out_channels, kernel_size=1), nn.ReLU()),
    ]
    return nn.Sequential(*(block if final_relu else block[:-1]))


@system(
    "nin",
    section="8.3",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 224, "batch_size": 128},
    presets={
        "book": {},
        "small": {
            "resize": None,
            "channels": (32, 64, 96),
            "first_kernel": 5,
            "first_stride": 1,
            "lr": 0.02,
            **COSINE,
            "max_epochs": 10,
        },
    },
)
class NiN(ConvNet):
    """Network in Network: convolutions of 1×1 for dense layers, a mean for the last (section 8.3).

    Args:
        channels: output channels of the first three blocks.
        first_kernel: window of the first convolution.
        first_stride: its stride.
        dropout: share of the third block's outputs that is dropped.
        final_relu: end in a ReLU as the book does: no logit can then be negative, and a class
            whose logits are all 0 gets no gradient.
    """

    any_size = True

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 224,
        num_classes: Count = 10,
        channels: tuple[int, int, int] = (96, 256, 384),
        first_kernel: Count = 11,
        first_stride: Count = 4,
        dropout: Probability = 0.5,
        final_relu: bool = False,
        lr: Positive = 0.05,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        first = (first_kernel, first_stride, 0 if first_stride > 1 else first_kernel // 2)
        self.final_side([first, (3, 2, 0), (3, 2, 0), (3, 2, 0)])
        pool, (c1, c2, c3) = self.layers.MaxPool2d, channels
        self.net = nn.Sequential(
            *(nin_block(in_channels, c1, first, self.layers), pool(3, stride=2)),
            *(nin_block(c1, c2, (5, 1, 2), self.layers), pool(3, stride=2)),
            *(nin_block(c2, c3, (3, 1, 1), self.layers), pool(3, stride=2)),
            nn.Dropout(dropout),
            nin_block(c3, num_classes, (3, 1, 1), self.layers, final_relu),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten(),
        )
        init_cnn(self, "relu")
