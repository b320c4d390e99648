"""ResNeXt: residual blocks whose convolution is cut into groups (section 8.6.5)."""

from types import ModuleType
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn, mean_head
from freedive.topics.modern_cnn import concise
from freedive.topics.modern_cnn.resnet import Stem, refuse_unequal, stem_block


class SqueezeExcitation(nn.Module):
    """Every channel times a share of itself that depends on all channels' means (section 8.8).

    Args:
        channels: of the image.
        squeezed: hidden units between the means and the shares.
        layers: where Conv2d comes from.
    """

    def __init__(self, channels: int, squeezed: int, layers: ModuleType = concise):
        super().__init__()
        squeeze = layers.Conv2d(channels, squeezed, kernel_size=1)
        nn.init.ones_(squeeze.bias)  # means hardly differ: a unit below 0 would be so for all
        excite = layers.Conv2d(squeezed, channels, kernel_size=1)
        mean = nn.AdaptiveAvgPool2d((1, 1))
        self.net = nn.Sequential(mean, squeeze, nn.ReLU(), excite, nn.Sigmoid())

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """x · σ(W₂ ReLU(W₁ mean(x)))."""
        return X * self.net(X)


class ResNeXtBlock(nn.Module):
    """A residual block of 1×1, 3×3 in groups, and 1×1 (section 8.6.5).

    In g groups the middle convolution has 1/g of the weights.

    Args:
        in_channels: channels that come in.
        num_channels: channels that go out.
        groups: g.
        bot_mul: channels of the middle convolution over ``num_channels``.
        use_1x1conv: bring x to the shape of g(x) by a convolution of 1×1.
        strides: of the 3×3 convolution, and of the one on x.
        squeezed: hidden units of a squeeze-and-excitation behind the middle; 0 leaves it out.
        layers: where Conv2d and BatchNorm2d come from.

    Raises:
        UsageError: the groups do not divide the middle channels, or x and g(x) differ in shape.
    """

    def __init__(
        self,
        in_channels: int,
        num_channels: int,
        groups: int,
        bot_mul: float,
        use_1x1conv: bool = False,
        strides: int = 1,
        squeezed: int = 0,
        layers: ModuleType = concise,
    ):
        super().__init__()
        refuse_unequal(in_channels, num_channels, use_1x1conv, strides)
        conv, norm, middle = layers.Conv2d, layers.BatchNorm2d, round(num_channels * bot_mul)
        if groups < 1 or middle < 1 or middle % groups:
            raise UsageError(
                f"groups wants to divide the {middle} channels in the middle of a block "
                f"({num_channels} × bot_mul {bot_mul:g}), got {groups}: pass a divisor"
            )
        self.conv1 = conv(in_channels, middle, kernel_size=1)
        self.conv2 = conv(middle, middle, 3, stride=strides, padding=1, groups=groups)
        self.conv3 = conv(middle, num_channels, kernel_size=1)
        self.bn1, self.bn2, self.bn3 = norm(middle), norm(middle), norm(num_channels)
        self.excite = SqueezeExcitation(middle, squeezed, layers) if squeezed else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if use_1x1conv:
            conv4 = conv(in_channels, num_channels, kernel_size=1, stride=strides)
            self.shortcut = nn.Sequential(conv4, norm(num_channels))

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch num_channels new_height new_width"]:
        """ReLU(x + g(x))."""
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.excite(F.relu(self.bn2(self.conv2(Y))))
        return F.relu(self.shortcut(X) + self.bn3(self.conv3(Y)))


@system(
    "resnext",
    section="8.6",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 96, "batch_size": 128},
    presets={
        "book": {},
        "small": {
            "resize": None,
            "width": 8,
            "num_blocks": (1, 1, 1),
            "groups": 4,
            "stem": "small",
            "lr": 0.1,
            **COSINE,
            "max_epochs": 5,
        },
    },
)
class ResNeXt(ConvNet):
    """ResNeXt: residual blocks with grouped convolutions; the defaults are ResNeXt-50 (8.6.5).

    Args:
        width: channels of the stem; the first stage has four times as many, each next one double.
        num_blocks: blocks of each stage.
        groups: into how many parts the 3×3 convolutions are cut.
        bot_mul: channels of the 3×3 convolutions over those of the stage.
        stem: large (7×7, a quarter of the size) or small (3×3, half of it).
    """

    any_size = True
    layers: ClassVar[ModuleType] = concise

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        width: Count = 64,
        num_blocks: tuple[int, ...] = (3, 4, 6, 3),
        groups: Count = 32,
        bot_mul: Positive = 0.5,
        stem: Stem = "large",
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(stem_block(in_channels, width, stem, self.layers))
        before = width
        for i, depth in enumerate(num_blocks):
            channels, stage = 4 * width * 2**i, nn.Sequential()
            for j in range(depth):
                first = (True, 2 if i else 1) if j == 0 else (False, 1)
                block = ResNeXtBlock(before, channels, groups, bot_mul, *first, layers=self.layers)
                stage.append(block)
                before = channels
            self.net.append(stage)
        self.net.append(mean_head(before, num_classes))
        init_cnn(self, "relu")
