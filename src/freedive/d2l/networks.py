"""Convolutional networks of both editions (chapters 6 to 8, 13)."""

from typing import Any

from torch import Tensor, nn

from freedive.d2l.protocol import Classifier
from freedive.topics.convolution import scratch
from freedive.topics.modern_cnn import resnet, resnext


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """The two-dimensional cross-correlation (section 7.2.1)."""
    return scratch.corr2d(X, K)


def init_cnn(module: nn.Module) -> None:
    """Xavier's weights for a dense layer or a convolution; give it to ``apply``.

    Lazy layers have no weights yet, and are left alone: send a batch through them first (R24).
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)) and not nn.parameter.is_lazy(module.weight):
        nn.init.xavier_uniform_(module.weight)


class LeNet(Classifier):
    """LeNet of the first edition (section 7.6)."""

    def __init__(self, lr: float = 0.1, num_classes: int = 10):
        super().__init__()
        self.save_hyperparameters()
        pool: dict[str, Any] = {"kernel_size": 2, "stride": 2}
        self.net = nn.Sequential(
            *(nn.LazyConv2d(6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(**pool)),
            *(nn.LazyConv2d(16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(**pool)),
            nn.Flatten(),
            *(nn.LazyLinear(120), nn.Sigmoid()),
            *(nn.LazyLinear(84), nn.Sigmoid()),
            nn.LazyLinear(num_classes),
        )


class Late(nn.Module):
    """A block that is built when its first input tells the channels that come in."""

    def __init__(self, kind: type[nn.Module], *args: Any, **kwargs: Any):
        super().__init__()
        self.block: Any = None
        self.late = (kind, args, kwargs)
        self.pending = nn.parameter.UninitializedParameter()  # so that whoever asks sees it is lazy

    def forward(self, X: Tensor) -> Tensor:
        """The block's outputs."""
        if self.block is None:
            kind, args, kwargs = self.late
            self.block = kind(X.shape[1], *args, **kwargs).to(X.device).train(self.training)
            del self.pending
        return self.block(X)


class Residual(nn.Module):
    """The residual block, ``(num_channels, use_1x1conv, strides)`` as in the first edition.

    ``(input_channels, num_channels, …)`` as in the second is told by its second whole number.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """The house's block, or one that waits for its first input."""
        second = len(args) > 1 and isinstance(args[1], int) and not isinstance(args[1], bool)
        if second or "input_channels" in kwargs:
            if "input_channels" in kwargs:
                args = (kwargs.pop("input_channels"), *args)
            return resnet.Residual(*args, **kwargs)
        return Late(resnet.Residual, *args, **kwargs)


class ResNeXtBlock(nn.Module):
    """The ResNeXt block, ``(num_channels, groups, bot_mul, use_1x1conv, strides)``.

    As before, ``groups`` divides the channels in the middle: they are cut into that many.
    """

    def __new__(
        cls,
        num_channels: int,
        groups: int,
        bot_mul: float,
        use_1x1conv: bool = False,
        strides: int = 1,
    ) -> Any:
        """A block that waits for its first input."""
        middle = round(num_channels * bot_mul)
        # the old block passed groups=middle//groups: so many channels a group
        return Late(
            resnext.ResNeXtBlock, num_channels, middle // groups, bot_mul, use_1x1conv, strides
        )


def resnet18(num_classes: int, in_channels: int = 1) -> nn.Sequential:
    """A ResNet-18 for small pictures (section 13.5 of the first edition, 12.5 of the second)."""

    def stage(before: int, after: int, first: bool = False) -> nn.Sequential:
        lead = (
            resnet.Residual(before, after)
            if first
            else resnet.Residual(before, after, use_1x1conv=True, strides=2)
        )
        return nn.Sequential(lead, resnet.Residual(after, after))

    net = nn.Sequential(
        nn.Conv2d(in_channels, 64, kernel_size=3, stride=1, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
    )
    net.add_module("resnet_block1", stage(64, 64, first=True))
    for number, width in enumerate((128, 256, 512), 2):
        net.add_module(f"resnet_block{number}", stage(width // 2, width))
    net.add_module("global_avg_pool", nn.AdaptiveAvgPool2d((1, 1)))
    net.add_module("fc", nn.Sequential(nn.Flatten(), nn.Linear(512, num_classes)))
    return net
