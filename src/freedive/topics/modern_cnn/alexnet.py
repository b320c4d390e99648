"""AlexNet, the first deep network to win ImageNet (section 8.1)."""

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn


@system(
    "alexnet",
    section="8.1",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 224, "batch_size": 128},
    presets={
        "book": {},
        "small": {
            "resize": None,
            "channels": (16, 32, 64, 64, 32),
            "first_kernel": 5,
            "first_stride": 1,
            "num_hiddens": 256,
            "dropout": 0.2,
            "lr": 0.02,
            **COSINE,
            "max_epochs": 5,
        },
    },
)
class AlexNet(ConvNet):
    """AlexNet: five convolutional layers, three of pooling, three dense ones (section 8.1).

    Args:
        channels: output channels of the five convolutions.
        first_kernel: window of the first convolution.
        first_stride: its stride.
        num_hiddens: units of each of the two dense layers before the last.
        dropout: share of them that is dropped.
    """

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 224,
        num_classes: Count = 10,
        channels: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        first_kernel: Count = 11,
        first_stride: Count = 4,
        num_hiddens: Count = 4096,
        dropout: Probability = 0.5,
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        first = (first_kernel, first_stride, 1 if first_stride > 1 else first_kernel // 2)
        side = self.final_side([first, (3, 2, 0), (3, 2, 0), (3, 2, 0)])
        conv, pool = self.layers.Conv2d, self.layers.MaxPool2d
        c1, c2, c3, c4, c5 = channels
        self.net = nn.Sequential(
            *(conv(in_channels, c1, *first), nn.ReLU(), pool(3, stride=2)),
            *(conv(c1, c2, kernel_size=5, padding=2), nn.ReLU(), pool(3, stride=2)),
            *(conv(c2, c3, kernel_size=3, padding=1), nn.ReLU()),
            *(conv(c3, c4, kernel_size=3, padding=1), nn.ReLU()),
            *(conv(c4, c5, kernel_size=3, padding=1), nn.ReLU(), pool(3, stride=2)),
            nn.Flatten(),
            *(nn.Linear(c5 * side**2, num_hiddens), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(num_hiddens, num_hiddens), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(num_hiddens, num_classes),
        )
        init_cnn(self, "relu")
