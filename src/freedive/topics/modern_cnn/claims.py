"""What the book says about AlexNet, VGG, NiN and GoogLeNet, as checks (sections 8.1 to 8.4)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.insight.summary import summary
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.convolution.convnet import ConvNet
from freedive.topics.convolution.lenet import LeNet
from freedive.topics.modern_cnn.alexnet import AlexNet
from freedive.topics.modern_cnn.googlenet import STAGES, GoogLeNet, Inception
from freedive.topics.modern_cnn.nin import NiN
from freedive.topics.modern_cnn.vgg import VGG11, vgg_block

Evidence = Iterator[tuple[Any, ...]]


def on_meta(kind: type[ConvNet], **settings: Any) -> ConvNet:
    """A network without numbers: its shapes cost nothing."""
    with torch.device("meta"):
        return kind(**settings)


def output_shapes(model: ConvNet, *kinds: type[nn.Module]) -> list[list[int]]:
    """What the layers of these kinds, or all, give for one image."""
    size, shapes = model.image_size, []
    X = torch.zeros(1, model.in_channels, size, size, device="meta")
    for layer in model.eval().net:
        X = layer(X)
        if not kinds or isinstance(layer, kinds):
            shapes.append(list(X.shape[1:]))
    return shapes


def squares(*maps: tuple[int, int]) -> list[list[int]]:
    """Shapes of feature maps from (channels, side)."""
    return [[channels, side, side] for channels, side in maps]


def num_layers(model: nn.Module, kind: type[nn.Module]) -> int:
    """How many layers of a kind there are."""
    return sum(isinstance(layer, kind) for layer in model.modules())


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers, the same each time."""
    return torch.randn(*shape, generator=generator(0, stream))


@claim("8.1.2", "AlexNet's layers have the printed shapes", ("002b C18", "001_003_004 C62"))
def alexnet_shapes() -> Evidence:
    """At 224 × 224; the ReLUs and dropouts of the 21 layers change no shape."""
    maps = squares((96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 12), (256, 12),
                   (256, 5))  # fmt: skip
    model = on_meta(AlexNet)
    shapes = output_shapes(model, nn.Conv2d, nn.MaxPool2d, nn.Flatten, nn.Linear)
    yield str(shapes), str([*maps, [6400], [4096], [4096], [10]])
    yield len(model.net), 21


@erratum(
    "8.1.2",
    "AlexNet has 16 times LeNet's channels, and images 8 times as wide as MNIST's",
    printed="ten times the channels, and images more than ten times as wide",
    source=("000 E24", "000 E25"),
)
def alexnet_over_lenet() -> Evidence:
    """The first two convolutions of both."""
    large, little = (
        [layer for layer in on_meta(kind).net if isinstance(layer, nn.Conv2d)]
        for kind in (AlexNet, LeNet)
    )
    for a, b in zip(large[:2], little, strict=True):
        yield a.out_channels / b.out_channels, 16.0
    yield on_meta(AlexNet).image_size / on_meta(LeNet).image_size, 8.0


@erratum(
    "8.1.3",
    "an initialiser that looks for nn.Conv2d and nn.Linear does nothing to fresh lazy layers",
    printed="self.net.apply(init_cnn) in the constructor initialises the network",
    source=("002b E11", "002b E12"),
)
def lost_initialisation() -> Evidence:
    """The standard deviation of a dense layer's weights: lazy, and with explicit sizes."""

    def init(layer: nn.Module) -> None:
        if type(layer) is nn.Linear or type(layer) is nn.Conv2d:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    he, default = (2 / 512) ** 0.5, (1 / 3 / 512) ** 0.5
    for layer, expected in ((nn.LazyLinear(512), default), (nn.Linear(512, 512), he)):
        layer.apply(init)(torch.zeros(1, 512))
        yield float(layer.weight.detach().std()), expected, 0.02 * expected


@claim(
    "8.2.2",
    "VGG-11 has 8 convolutional and 3 dense layers, and each block halves the size",
    ("002b C19", "000 C47", "001_003_004 C62"),
)
def vgg_plan() -> Evidence:
    """At 224 × 224, 64 to 512 channels."""
    model = on_meta(VGG11)
    yield num_layers(model, nn.Conv2d), 8
    yield num_layers(model, nn.Linear), 3
    maps = squares((64, 112), (128, 56), (256, 28), (512, 14), (512, 7))
    yield str(output_shapes(model)[:6]), str([*maps, [25_088]])


@erratum(
    "8.2.1",
    "a VGG block has a ReLU behind each convolution: VGG-11 has 8, and 2 in its dense part",
    printed="a listing that appends the ReLU in an else branch, which leaves 3 with equal shapes",
    source=("001_003_004 C64", "001_003_004 E19"),
)
def vgg_relus() -> Evidence:
    """Of the network, and of a block of three; parameters and shapes would not show it."""
    yield num_layers(on_meta(VGG11), nn.ReLU), 10
    yield num_layers(vgg_block(3, 1, 2), nn.ReLU), 3
    one_short = sum(num_convs > 1 for num_convs in VGG11.num_convs)
    yield one_short, 3


@claim(
    "8.3.2",
    "NiN's layers have the printed shapes; it has no dense layer, and its head is a mean",
    ("002b C18", "002b C22", "001_003_004 C62"),
)
def nin_shapes() -> Evidence:
    """At 224 × 224, and the logits beside the last feature map."""
    model = on_meta(NiN)
    maps = squares((96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 5), (384, 5), (10, 5))
    yield str(output_shapes(model)), str([*maps, [10, 1, 1], [10]])
    yield num_layers(model, nn.Linear), 0
    small = NiN(image_size=28, channels=(8, 8, 8), first_kernel=5, first_stride=1).eval()
    X = normal(3, 1, 28, 28)
    yield small(X).detach(), small.net[:8](X).mean(dim=(2, 3)).detach(), 1e-6


@erratum(
    "8.3.2",
    "three of NiN's four blocks are followed by max pooling, the last by the global mean",
    printed="max pooling follows each block",
    source=("000 E26", "001_003_004 E20"),
)
def nin_poolings() -> Evidence:
    """Counted."""
    yield num_layers(on_meta(NiN), nn.MaxPool2d), 3
    yield num_layers(on_meta(NiN), nn.AdaptiveAvgPool2d), 1


@erratum(
    "8.3.2",
    "without a ReLU at the end NiN's logits take both signs",
    printed="the last block ends in a ReLU: no logit is below 0, and a dead class gets no gradient",
    source="002b E14",
)
def nin_signs() -> Evidence:
    """Both variants from equal weights; then one class whose logits are all 0."""
    X, settings = normal(8, 1, 28, 28), (1, 28, 10, (8, 8, 8), 5, 1)
    free, cut = (NiN(*settings, final_relu=ends).eval() for ends in (False, True))
    cut.load_state_dict(free.state_dict())
    yield float(free(X).detach().min()) < 0, True
    yield float(cut(X).detach().min()), (0.0, float("inf"))
    for model, stuck in ((free, False), (cut, True)):
        *_, weight, bias = model.parameters()
        nn.init.constant_(bias, -100.0)  # every output of the last convolution is negative
        loss = F.cross_entropy(model(X), torch.arange(8))
        (gradient,) = torch.autograd.grad(loss, weight)
        yield bool((gradient == 0).all()), stuck


@erratum(
    "8.3",
    "VGG-11's first dense matrix takes 411 MB, all three 478 MB with 10 classes, 495 with 1000",
    printed="the dense layers of VGG-11 take almost 400 MB",
    source="002b E13",
)
def vgg_memory() -> Evidence:
    """In 32-bit numbers; 411 million bytes are 392 MiB."""
    for num_classes, megabytes in ((10, 478.35), (1000, 494.55)):
        dense = [m for m in on_meta(VGG11, num_classes=num_classes).net if isinstance(m, nn.Linear)]
        yield dense[0].weight.nbytes / 1e6, 411.0, 0.1
        yield sum(m.weight.nbytes + m.bias.nbytes for m in dense) / 1e6, megabytes, 0.1
    yield dense[0].weight.nbytes / 2**20, 392.0, 0.1


@claim(
    "8.3",
    "parameters: NiN 2.0 M < GoogLeNet 6.0 M < narrow VGG 43.1 M < AlexNet 46.8 M < VGG-11 128.8 M",
    ("002b C21", "000 C49", "001_003_004 C63"),
)
def parameter_order() -> Evidence:
    """Exactly, for one channel and ten classes."""
    models = (on_meta(NiN), on_meta(GoogLeNet), on_meta(VGG11, width=16), on_meta(AlexNet),
              on_meta(VGG11))  # fmt: skip
    counts = [num_parameters(model) for model in models]
    yield counts, [1_992_166, 5_977_530, 43_093_322, 46_764_746, 128_806_154]
    yield counts == sorted(counts), True
    yield counts[3] / counts[0], (23.0, 24.0)
    yield counts[4] / counts[0], (64.0, 66.0)


@claim(
    "8.4.1",
    "an Inception block keeps height and width and puts its branches' channels together",
    ("002b C23", "000 C50", "001_003_004 C65"),
)
def inception_channels() -> Evidence:
    """The sums of all nine blocks, the ratios of the first, and a block on an image."""
    sums = [c1 + c2[1] + c3[1] + c4 for stage in STAGES for c1, c2, c3, c4 in stage]
    yield sums, [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    block = Inception(192, *STAGES[0][0])
    yield list(block(normal(1, 192, 6, 5)).shape), [1, 256, 6, 5]
    yield num_parameters(block), 163_696
    (c1, c2, c3, c4), (d1, d2, d3, d4) = STAGES[0]
    yield [c1 / c4, c2[1] / c4, c3[1] / c4], [2.0, 4.0, 1.0]
    yield [d1 / 32, d2[1] / 32, d3[1] / 32, d4 / 32], [4.0, 6.0, 3.0, 2.0]


@claim(
    "8.4.2",
    "GoogLeNet's stages have the printed shapes, with 2 + 5 + 2 Inception blocks",
    ("002b C18", "002b C24", "001_003_004 C62"),
)
def googlenet_shapes() -> Evidence:
    """At 96 × 96."""
    model = on_meta(GoogLeNet)
    maps = squares((64, 24), (192, 12), (480, 6), (832, 3))
    yield str(output_shapes(model)), str([*maps, [1024], [10]])
    yield [num_layers(stage, Inception) for stage in list(model.net)[2:5]], [2, 5, 2]


@erratum(
    "8.4.4",
    "at 224 × 224 GoogLeNet costs a fifth of VGG-11, but more than AlexNet or NiN",
    printed="GoogLeNet is cheaper than its predecessors",
    source="002b E15",
)
def googlenet_cost() -> Evidence:
    """Multiply-adds in millions, counted on meta tensors."""
    kinds: tuple[type[ConvNet], ...] = (NiN, AlexNet, GoogLeNet, VGG11)
    models = [on_meta(kind, image_size=224) for kind in kinds]
    costs = [summary(model, (1, 1, 224, 224)).macs / 1e6 for model in models]
    for macs, expected in zip(costs, (762, 938, 1503, 7547), strict=True):
        yield macs, (expected - 1.0, expected + 1.0)
    yield costs == sorted(costs), True
    yield costs[2] / costs[3], (0.19, 0.21)


@erratum(
    "8.4.2",
    "GoogLeNet has three stages of Inception blocks, the third to the fifth module",
    printed="four modules of Inception blocks follow, and the fourth is named twice",
    source=("001_003_004 E21", "001_003_004 E24"),
)
def googlenet_stages() -> Evidence:
    """Which of the six modules hold Inception blocks, counted from one."""
    modules = enumerate(on_meta(GoogLeNet).net, 1)
    holding = [i for i, module in modules if num_layers(module, Inception)]
    yield holding, [3, 4, 5]


@erratum(
    "8.4.1",
    "nn.Module takes no keywords: a block that hands its own on to it cannot be built",
    printed="super().__init__(**kwargs)",
    source="000 E15",
)
def no_keywords() -> Evidence:
    """The error's kind."""

    class Forwarding(nn.Module):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)

    try:
        Forwarding(name="block")
    except TypeError as error:
        yield type(error).__name__, "TypeError"
    else:
        yield "no error", "TypeError"
