"""AnyNet, a space of networks, and RegNet, the simple rule found in it (section 8.8)."""

import math
from types import ModuleType
from typing import Any, ClassVar

from torch import nn

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.convolution.convnet import COSINE, ConvNet, init_cnn, mean_head
from freedive.topics.modern_cnn import concise
from freedive.topics.modern_cnn.resnext import ResNeXtBlock

Stages = tuple[tuple[int, ...], tuple[int, ...]]  # depth and channels of each stage


def regnet_stages(
    depth: int, initial: float, slope: float, quotient: float, group_width: int
) -> Stages:
    """The stages of a RegNet: widths on a line, then on few steps (section 8.8.3).

    Block j wants u_j = w₀ + w_a·j channels. It gets w₀·w_m^s, where s is log_{w_m}(u_j/w₀) rounded,
    on a multiple of 8 and then of the group width; blocks of equal width form a stage.

    Args:
        depth: blocks in all.
        initial: w₀.
        slope: w_a.
        quotient: w_m, above 1.
        group_width: channels in a group.
    """
    widths: list[int] = []
    for j in range(depth):
        step = round(math.log((initial + slope * j) / initial, quotient))
        eights = round(initial * quotient**step / 8) * 8
        group = min(group_width, eights)
        widths.append(math.floor(eights / group + 0.5) * group)
    channels = tuple(sorted(set(widths)))
    return tuple(widths.count(width) for width in channels), channels


class AnyNet(ConvNet):
    """AnyNet: a stem, stages of ResNeXt blocks, a head; every number is free (section 8.8.1).

    Args:
        stem_channels: output channels of the stem.
        stem_stride: 2 halves the image at once.
        depths: blocks of each stage; the first of them halves the size.
        channels: of each stage.
        group_width: channels in a group of the 3×3 convolutions.
        bot_mul: channels of the 3×3 convolutions over those of the stage.
    """

    any_size = True
    layers: ClassVar[ModuleType] = concise
    se_ratio: ClassVar[float] = 0.0  # hidden units of an excitation over a block's input channels

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        stem_channels: Count = 32,
        stem_stride: Count = 2,
        depths: tuple[int, ...] = (4, 6),
        channels: tuple[int, ...] = (32, 80),
        group_width: Count = 16,
        bot_mul: Positive = 1.0,
        lr: Positive = 0.05,
        momentum: Probability = 0.0,
        weight_decay: NonNegative = 0.0,
        schedule: Schedule = "constant",
    ):
        super().__init__()
        self.save_hyperparameters()
        if len(depths) != len(channels) or not depths:
            raise UsageError(
                f"depths and channels want one number for each stage, got {len(depths)} and "
                f"{len(channels)}: make them equally long"
            )
        stem = self.layers.Conv2d(in_channels, stem_channels, 3, stride=stem_stride, padding=1)
        norm = self.layers.BatchNorm2d(stem_channels)
        self.net = nn.Sequential(nn.Sequential(stem, norm, nn.ReLU()))
        before = stem_channels
        for depth, num_channels in zip(depths, channels, strict=True):
            self.net.append(self.stage(depth, before, num_channels))
            before = num_channels
        self.net.append(mean_head(before, num_classes))
        init_cnn(self, "relu")

    def stage(self, depth: int, in_channels: int, num_channels: int) -> nn.Sequential:
        """``depth`` blocks; the first one halves height and width."""
        middle = round(num_channels * self.bot_mul)
        width = min(self.group_width, middle)
        if middle % width:
            raise UsageError(
                f"group_width wants to divide the {middle} channels in the middle of a block, got "
                f"{width}: pass a divisor"
            )
        stage = nn.Sequential()
        for i in range(depth):
            shape = (in_channels, num_channels, middle // width, self.bot_mul)
            change = (False, 1) if i else (True, 2)
            squeezed = round(in_channels * self.se_ratio)
            stage.append(ResNeXtBlock(*shape, *change, squeezed, self.layers))
            in_channels = num_channels
        return stage


def settings(small: dict[str, Any], **named: Stages) -> dict[str, Any]:
    """What both kinds of RegNet share."""
    stages = {
        name.replace("_", "-"): {
            "depths": depths,
            "channels": channels,
            "group_width": 8,
            "resize": 224,
        }
        for name, (depths, channels) in named.items()
    }
    return {
        "section": "8.8",
        "data": FashionMNIST,
        "trainer": {"max_epochs": 10},
        "data_settings": {"resize": 96, "batch_size": 128},
        "presets": {"book": {}, "small": small, **stages},
    }


SMALL: dict[str, Any] = {
    "resize": None,
    "stem_channels": 16,
    "stem_stride": 1,
    "depths": (1, 1, 2),
    "channels": (24, 48, 96),
    "group_width": 8,
    "lr": 0.1,
    **COSINE,
    "max_epochs": 5,
}


@system("regnet", **settings(SMALL, x_200mf=regnet_stages(13, 24, 36.44, 2.49, 8)))
class RegNetX(AnyNet):
    """RegNetX: widths that grow along a line, in few steps; the book's RegNetX-32 (8.8.3)."""


@system("regnety", **settings(SMALL, y_200mf=regnet_stages(13, 24, 36.44, 2.49, 8)))
class RegNetY(AnyNet):
    """RegNetY: RegNetX with a squeeze-and-excitation in each block (section 8.8)."""

    se_ratio = 0.25
