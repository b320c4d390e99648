"""What the book says about ResNet, DenseNet and AnyNet, as checks (sections 8.6 to 8.8)."""

import torch
from torch import nn

from freedive.catalog import claim, erratum
from freedive.insight.summary import summary
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.modern_cnn.alexnet import AlexNet
from freedive.topics.modern_cnn.claims import (
    Evidence,
    normal,
    num_layers,
    on_meta,
    output_shapes,
    squares,
)
from freedive.topics.modern_cnn.densenet import DenseBlock, DenseNet, transition_block
from freedive.topics.modern_cnn.nin import NiN
from freedive.topics.modern_cnn.regnet import RegNetX
from freedive.topics.modern_cnn.resnet import Residual, ResNet18
from freedive.topics.modern_cnn.resnext import ResNeXtBlock
from freedive.topics.modern_cnn.vgg import VGG11


@claim(
    "8.6.2",
    "a residual block keeps the shape, or with a 1×1 convolution changes channels and size",
    "000 C51",
)
def residual_shapes() -> Evidence:
    """As printed, on 4 × 3 × 6 × 6."""
    X = normal(4, 3, 6, 6)
    yield list(Residual(3, 3)(X).shape), [4, 3, 6, 6]
    yield list(Residual(3, 6, use_1x1conv=True, strides=2)(X).shape), [4, 6, 3, 3]


@erratum(
    "8.6.2",
    "a residual block whose branch is zero gives ReLU(x): the identity only where x ≥ 0",
    printed="with all weights zero the block is the identity",
    source=("002b C32", "002b E22", "000 C51", "001_003_004 C68"),
)
def zero_branch() -> Evidence:
    """The last batch norm's scale set to 0, in training and in prediction."""
    block, X = Residual(3, 3), normal(4, 3, 6, 6)
    nn.init.zeros_(block.bn2.weight)
    for mode in (True, False):
        block.train(mode)
        yield block(X.abs()).detach(), X.abs(), 0.0
        yield block(X).detach(), X.clamp(min=0), 0.0
        yield bool(torch.equal(block(X), X)), False


@claim(
    "8.6.3",
    "ResNet-18 has 17 convolutions on its way and one dense layer, and the printed shapes",
    ("001_003_004 C63", "000 C51"),
)
def resnet_shapes() -> Evidence:
    """At 224 × 224; the three convolutions on shortcuts are counted beside."""
    model = on_meta(ResNet18, image_size=224)
    maps = squares((64, 56), (64, 56), (128, 28), (256, 14), (512, 7))
    yield str(output_shapes(model)), str([*maps, [10]])
    shortcuts = [m.conv3 for m in model.modules() if isinstance(m, Residual) and m.conv3]
    yield num_layers(model, nn.Conv2d) - len(shortcuts), 17
    yield len(shortcuts), 3
    yield num_layers(model, nn.Linear), 1
    yield num_parameters(model), 11_178_378


@claim("8.6.5", "in g groups a convolution has k²·c_i·c_o/g weights", "002b C34")
def grouped_weights() -> Evidence:
    """The 3×3 convolution of a ResNeXt block with 16 channels in the middle."""
    for groups in (1, 2, 4, 8, 16):
        block = ResNeXtBlock(32, 32, groups, 0.5)
        yield block.conv2.weight.numel(), 9 * 16 * 16 // groups


@claim(
    "8.7.2",
    "a dense block gives c + L·g channels, a transition half the size and what channels it is told",
    ("002b C33", "000 C52"),
)
def dense_channels() -> Evidence:
    """Two convolutions of growth 10 on three channels, as printed, and other counts."""
    yield list(DenseBlock(2, 3, 10)(normal(4, 3, 8, 8)).shape), [4, 23, 8, 8]
    yield list(transition_block(23, 10)(normal(4, 23, 8, 8)).shape), [4, 10, 4, 4]
    for num_convs, in_channels, growth_rate in ((1, 1, 1), (3, 5, 2), (4, 64, 32)):
        X = normal(2, in_channels, 3, 3)
        block = DenseBlock(num_convs, in_channels, growth_rate)
        yield block(X).shape[1], in_channels + num_convs * growth_rate


@claim(
    "8.7.3",
    "DenseNet's channels grow by 128 in each block and are halved between: 64, 192, 96, … 248",
    ("000 C52", "001_003_004 C69", "001_003_004 C63"),
)
def densenet_trace() -> Evidence:
    """At 96 × 96: channels, sides and parameters."""
    model = on_meta(DenseNet)
    shapes = output_shapes(model)
    yield [s[0] for s in shapes[:-1]], [64, 192, 96, 224, 112, 240, 120, 248]
    yield [s[1] for s in shapes[:-1]], [24, 24, 12, 12, 6, 6, 3, 3]
    yield num_parameters(model), 758_226


@erratum(
    "8.7.2",
    "the growth rate is what each convolution of a dense block adds, not the block",
    printed="the growth rate is the number of channels that a dense block adds",
    source="002b E23",
)
def growth_rate() -> Evidence:
    """Channels added by blocks of one, two and four convolutions at a rate of 12."""
    for num_convs in (1, 2, 4):
        yield DenseBlock(num_convs, 8, 12).out_channels - 8, 12 * num_convs


@erratum(
    "8.7",
    "DenseNet has the fewest parameters of its chapter; what it costs is memory for its outputs",
    printed="DenseNet is computationally expensive",
    source="000 C52",
)
def densenet_cost() -> Evidence:
    """At 96 × 96: parameters in millions, and bytes of all outputs over bytes of parameters."""
    share = {}
    for kind, millions in ((DenseNet, 0.758), (NiN, 1.992), (AlexNet, 46.8), (VGG11, 128.8)):
        yield num_parameters(on_meta(kind)) / 1e6, millions, 0.05
        found = summary(on_meta(kind, image_size=96), (1, 1, 96, 96))
        share[kind] = found.memory / (4 * found.parameters)
    yield share[DenseNet] > max(share[kind] for kind in (NiN, AlexNet, VGG11)), True


@claim("8.8.1", "every stage of an AnyNet halves height and width", "002b C34")
def anynet_stages() -> Evidence:
    """Four stages at 224 × 224 behind a stem that halves too."""
    model = on_meta(
        RegNetX, image_size=224, depths=(1, 2, 3, 1), channels=(16, 32, 64, 128), group_width=8
    )
    yield [s[1] for s in output_shapes(model)[:-1]], [112, 56, 28, 14, 7]
    yield [s[0] for s in output_shapes(model)[:-1]], [32, 16, 32, 64, 128]
