"""SpeedNet: what this chapter teaches, spent on time (section 8.5)."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import ConvNet, init_cnn
from freedive.topics.modern_cnn import concise


def pooled_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Convolution, maximum, batch norm, ReLU.

    A maximum comes to the same before a ReLU, and before batch norm with a positive scale; but then
    they have a quarter of the numbers to go through. The shift of batch norm replaces the bias.
    """
    return nn.Sequential(
        concise.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        concise.MaxPool2d(kernel_size=2, stride=2),
        *(concise.BatchNorm2d(out_channels), nn.ReLU()),
    )


@system(
    "speednet",
    section="8.5",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"batch_size": 128},
    presets={"speedrun": {"max_epochs": 7}},
)
class SpeedNet(ConvNet):
    """SpeedNet: three small convolutions, pooled before batch norm; made for two cores (8.5).

    Args:
        channels: output channels of the three convolutions.
        logit_scale: what the logits are multiplied by: small ones leave room to learn at a high
            rate.
    """

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 28,
        num_classes: Count = 10,
        channels: tuple[int, int, int] = (16, 32, 64),
        logit_scale: Positive = 0.2,
        lr: Positive = 0.2,
        momentum: Probability = 0.9,
        weight_decay: NonNegative = 5e-4,
        schedule: Schedule = "cosine",
    ):
        super().__init__()
        self.save_hyperparameters()
        side = self.final_side([(2, 2, 0)] * 3)
        widths = (in_channels, *channels)
        self.net = nn.Sequential(
            *(pooled_block(*block) for block in pairwise(widths)),
            nn.Flatten(),
            nn.Linear(channels[-1] * side**2, num_classes, bias=False),
        )
        init_cnn(self, "relu")

    def forward(self, X: Tensor) -> Float[Tensor, "batch classes"]:
        """The logits, scaled."""
        return self.logit_scale * super().forward(X)
