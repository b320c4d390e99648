"""ResNet: layers that learn what to add to their input (section 8.6)."""

from types import ModuleType
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn, mean_head
from freedive.topics.modern_cnn import concise, scratch

Stem = Literal["large", "small"]

SETTINGS: dict[str, Any] = {
    "section": "8.6",
    "data": FashionMNIST,
    "trainer": {"max_epochs": 10},
    "data_settings": {"resize": 96, "batch_size": 128},
}
SMALL: dict[str, Any] = {
    "resize": None,
    "width": 16,
    "stem": "small",
    "lr": 0.1,
    **COSINE,
    "max_epochs": 11,
    "flip": True,
}
PRESETS = {"book": {}, "small": SMALL}
DEEP_PRESETS = {"book": {}, "small": {**SMALL, "lr": 0.02}}  # 0.1 is too much for many blocks


def stem_block(
    in_channels: int, out_channels: int, stem: Stem, layers: ModuleType = concise
) -> nn.Sequential:
    """What comes before the first stage.

    ``large``, for photographs: 7×7 at stride 2 and a maximum at stride 2, a quarter of the size.
    ``small``, for 28×28 pixels: 3×3 and a maximum at stride 2, half of the size.
    """
    if stem == "small":
        return nn.Sequential(
            layers.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
            *(layers.BatchNorm2d(out_channels), nn.ReLU()),
            layers.MaxPool2d(kernel_size=2, stride=2),
        )
    return nn.Sequential(
        layers.Conv2d(in_channels, out_channels, kernel_size=7, stride=2, padding=3),
        *(layers.BatchNorm2d(out_channels), nn.ReLU()),
        layers.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )


class Residual(nn.Module):
    """The residual block ReLU(x + g(x)), g of two 3×3 convolutions (section 8.6.2).

    Args:
        in_channels: channels that come in.
        num_channels: channels that go out.
        use_1x1conv: bring x to the shape of g(x) by a convolution of 1×1.
        strides: of the first convolution, and of the one on x.
        layers: where Conv2d and BatchNorm2d come from.

    Raises:
        UsageError: the shapes of x and g(x) differ, and nothing brings them together.
    """

    expansion: ClassVar[int] = 1  # output channels over num_channels

    def __init__(
        self,
        in_channels: int,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        layers: ModuleType = concise,
    ):
        super().__init__()
        refuse_unequal(in_channels, num_channels, use_1x1conv, strides)
        conv = layers.Conv2d
        self.conv1 = conv(in_channels, num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = conv(num_channels, num_channels, kernel_size=3, padding=1)
        self.conv3 = None
        if use_1x1conv:
            self.conv3 = conv(in_channels, num_channels, kernel_size=1, stride=strides)
        self.bn1 = layers.BatchNorm2d(num_channels)
        self.bn2 = layers.BatchNorm2d(num_channels)

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch num_channels new_height new_width"]:
        """ReLU(x + g(x))."""
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        return F.relu((X if self.conv3 is None else self.conv3(X)) + Y)


class Bottleneck(nn.Module):
    """The residual block of deep networks: 1×1, 3×3 and 1×1, the last four times as wide (8.6).

    Args:
        in_channels: channels that come in.
        num_channels: channels of the first two convolutions.
        use_1x1conv: bring x to the shape of g(x) by a convolution of 1×1.
        strides: of the 3×3 convolution, and of the one on x.
        layers: where Conv2d and BatchNorm2d come from.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        in_channels: int,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        layers: ModuleType = concise,
    ):
        super().__init__()
        out_channels = num_channels * self.expansion
        refuse_unequal(in_channels, out_channels, use_1x1conv, strides)
        conv = layers.Conv2d
        self.conv1 = conv(in_channels, num_channels, kernel_size=1)
        self.conv2 = conv(num_channels, num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv3 = conv(num_channels, out_channels, kernel_size=1)
        self.conv4 = None
        if use_1x1conv:
            self.conv4 = conv(in_channels, out_channels, kernel_size=1, stride=strides)
        self.bn1 = layers.BatchNorm2d(num_channels)
        self.bn2 = layers.BatchNorm2d(num_channels)
        self.bn3 = layers.BatchNorm2d(out_channels)

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels new_height new_width"]:
        """ReLU(x + g(x))."""
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = F.relu(self.bn2(self.conv2(Y)))
        Y = self.bn3(self.conv3(Y))
        return F.relu((X if self.conv4 is None else self.conv4(X)) + Y)


def refuse_unequal(in_channels: int, out_channels: int, use_1x1conv: bool, strides: int) -> None:
    """Raise `UsageError` where x and g(x) cannot be added."""
    if not use_1x1conv and (in_channels != out_channels or strides != 1):
        raise UsageError(
            f"a residual block adds its input to its output, got {in_channels} channels and "
            f"{out_channels} at stride {strides}: pass use_1x1conv=True"
        )


class ResNet(ConvNet):
    """ResNet: a stem, four stages of residual blocks, the mean, one dense layer (section 8.6.3).

    Every stage but the first halves height and width and doubles the channels.

    Args:
        width: channels of the stem, and of the first stage's blocks.
        stem: large (7×7, a quarter of the size) or small (3×3, half of it).
    """

    any_size = True
    layers: ClassVar[ModuleType] = concise
    block: ClassVar[type[Residual] | type[Bottleneck]] = Residual
    num_residuals: ClassVar[tuple[int, ...]]  # of each stage

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        width: Count = 64,
        stem: Stem = "large",
        lr: Positive = 0.01,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(stem_block(in_channels, width, stem, self.layers))
        channels = width
        for i, num_residuals in enumerate(self.num_residuals):
            self.net.append(self.stage(num_residuals, channels, width * 2**i, 2 if i else 1))
            channels = width * 2**i * self.block.expansion
        self.net.append(mean_head(channels, num_classes))
        init_cnn(self, "relu")

    def stage(
        self, num_residuals: int, in_channels: int, num_channels: int, strides: int
    ) -> nn.Sequential:
        """Blocks of one width; the first one changes size and channels."""
        out_channels = num_channels * self.block.expansion
        stage = nn.Sequential()
        for i in range(num_residuals):
            strides = 1 if i else strides
            use_1x1conv = strides != 1 or in_channels != out_channels
            stage.append(self.block(in_channels, num_channels, use_1x1conv, strides, self.layers))
            in_channels = out_channels
        return stage


@system("resnet18", **SETTINGS, presets=PRESETS)
class ResNet18(ResNet):
    """ResNet-18: two residual blocks in each of four stages (section 8.6)."""

    num_residuals = (2, 2, 2, 2)


@system("resnet18", form="scratch")
class ResNet18Scratch(ResNet18):
    """ResNet-18 with convolution, pooling and batch norm written from tensors up."""

    layers: ClassVar[ModuleType] = scratch


@system("resnet34", **SETTINGS, presets=DEEP_PRESETS)
class ResNet34(ResNet):
    """ResNet-34: three, four, six and three residual blocks (section 8.6)."""

    num_residuals = (3, 4, 6, 3)


@system("resnet50", **SETTINGS, presets=DEEP_PRESETS)
class ResNet50(ResNet):
    """ResNet-50: three, four, six and three bottleneck blocks (section 8.6)."""

    block = Bottleneck
    num_residuals = (3, 4, 6, 3)
