import inspect
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freedive import catalog
from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.topics.modern_cnn import concise, scratch
from freedive.topics.modern_cnn.alexnet import AlexNet
from freedive.topics.modern_cnn.densenet import DenseBlock, DenseNet, transition_block
from freedive.topics.modern_cnn.googlenet import GoogLeNet, Inception
from freedive.topics.modern_cnn.nin import NiN
from freedive.topics.modern_cnn.regnet import RegNetX, RegNetY, regnet_stages
from freedive.topics.modern_cnn.resnet import (
    Bottleneck,
    Residual,
    ResNet18,
    ResNet34,
    ResNet50,
)
from freedive.topics.modern_cnn.resnext import ResNeXt, ResNeXtBlock
from freedive.topics.modern_cnn.vgg import VGG11, VGG13, VGG16, VGG19, vgg_block

FAMILIES = [AlexNet, VGG11, NiN, GoogLeNet, ResNet18, ResNeXt, DenseNet, RegNetX, RegNetY]
PAIRED = [scratch, concise]


def shapes(model, size, kinds=None):
    """What the top layers give for one image, on meta tensors; all, or those of some kinds."""
    X, found = torch.zeros(1, model.in_channels, size, size, device="meta"), []
    for layer in model.eval().to("meta").net:
        X = layer(X)
        if kinds is None or isinstance(layer, kinds):
            found.append(tuple(X.shape[1:]))
    return found


def count(model):
    return sum(p.numel() for p in model.parameters())


def published(model):
    """Parameters as networks without a bias before batch norm count them."""
    convolutions = (m for m in model.modules() if isinstance(m, nn.Conv2d))
    gates = [m for m in model.modules() if type(m).__name__ == "SqueezeExcitation"]
    inside = {id(m) for gate in gates for m in gate.modules()}
    return count(model) - sum(m.bias.numel() for m in convolutions if id(m) not in inside)


def on_meta(kind, **arguments):
    with torch.device("meta"):
        return kind(**arguments)


def test_alexnets_layers_have_the_printed_shapes():
    model = on_meta(AlexNet)
    square = [(96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 12), (256, 12), (256, 5)]
    expected = [(c, n, n) for c, n in square] + [(6400,), (4096,), (4096,), (10,)]
    kinds = (nn.Conv2d, nn.MaxPool2d, nn.Flatten, nn.Linear)
    assert shapes(model, 224, kinds) == expected
    assert count(model) == 46_764_746
    assert len(model.net) == 21


@pytest.mark.parametrize(
    ("kind", "convolutions", "parameters"),
    [(VGG11, 8, 132_863_336), (VGG13, 10, 133_047_848), (VGG16, 13, 138_357_544),
     (VGG19, 16, 143_667_240)],
)  # fmt: skip
def test_vggs_are_the_published_networks(kind, convolutions, parameters):
    assert count(on_meta(kind, in_channels=3, num_classes=1000)) == parameters
    layers = [type(m) for m in on_meta(kind).modules()]
    assert layers.count(nn.Conv2d) == convolutions
    assert layers.count(nn.ReLU) == convolutions + 2  # one behind every layer but the last
    assert layers.count(nn.Linear) == 3


def test_vgg11_halves_its_size_in_every_block():
    expected = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    assert shapes(on_meta(VGG11), 224)[:6] == [*expected, (25_088,)]
    assert count(on_meta(VGG11)) == 128_806_154
    assert count(on_meta(VGG11, width=16)) == 43_093_322  # the narrow one that the book trains
    assert shapes(on_meta(VGG11, width=16), 224)[5] == (6272,)


def test_nins_layers_have_the_printed_shapes():
    model = on_meta(NiN)
    square = [(96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 5), (384, 5), (10, 5)]
    assert shapes(model, 224) == [(c, n, n) for c, n in square] + [(10, 1, 1), (10,)]
    assert count(model) == 1_992_166
    assert not [m for m in model.modules() if isinstance(m, nn.Linear)]


def test_e14_nins_logits_can_be_negative_unless_the_books_relu_is_asked_for():
    X = torch.rand(8, 1, 28, 28)
    small = {"image_size": 28, "channels": (8, 8, 8), "first_kernel": 5, "first_stride": 1}
    torch.manual_seed(0)
    assert NiN(**small).eval()(X).min() < 0
    assert NiN(final_relu=True, **small).eval()(X).min() >= 0


def test_googlenets_stages_have_the_printed_shapes():
    model = on_meta(GoogLeNet)
    square = [(64, 24), (192, 12), (480, 6), (832, 3)]
    assert shapes(model, 96) == [(c, n, n) for c, n in square] + [(1024,), (10,)]
    assert count(model) == 5_977_530
    blocks = [m for m in model.modules() if isinstance(m, Inception)]
    widths = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    assert [block.out_channels for block in blocks] == widths


def test_an_inception_block_keeps_the_size_and_has_163696_parameters():
    block = Inception(192, 64, (96, 128), (16, 32), 32)
    assert count(block) == 163_696
    X = torch.rand(2, 192, 5, 7)
    Y = block(X)
    assert Y.shape == (2, 256, 5, 7)
    for channels, branch in zip(Y.split([64, 128, 32, 32], dim=1), block.children(), strict=True):
        assert torch.equal(channels, branch(X))


def test_resnet18_has_the_printed_shapes():
    model = on_meta(ResNet18)
    expected = [(64, 56, 56), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7), (10,)]
    assert shapes(model, 224) == expected
    assert shapes(model, 96)[0] == (64, 24, 24)
    assert count(model) == 11_178_378


@pytest.mark.parametrize(
    ("kind", "parameters", "shortcuts"),
    [(ResNet18, 11_689_512, (128, 256, 512)), (ResNet34, 21_797_672, (128, 256, 512)),
     (ResNet50, 25_557_032, (256, 512, 1024, 2048))],
)  # fmt: skip
def test_resnets_are_the_published_ones_but_for_the_shortcuts_batch_norm(
    kind, parameters, shortcuts
):
    model = on_meta(kind, in_channels=3, num_classes=1000)
    assert published(model) + 2 * sum(shortcuts) == parameters


@pytest.mark.parametrize("layers", PAIRED)
def test_a_residual_block_is_written_out(layers):
    torch.manual_seed(0)
    X = torch.randn(4, 3, 6, 6)
    block = Residual(3, 6, use_1x1conv=True, strides=2, layers=layers).eval()
    Y = F.conv2d(X, block.conv1.weight, block.conv1.bias, stride=2, padding=1)
    Y = (Y / math.sqrt(1 + 1e-5)).relu()
    Y = F.conv2d(Y, block.conv2.weight, block.conv2.bias, padding=1) / math.sqrt(1 + 1e-5)
    straight = F.conv2d(X, block.conv3.weight, block.conv3.bias, stride=2)
    assert torch.allclose(block(X), (Y + straight).relu(), atol=1e-5)
    assert block(X).shape == (4, 6, 3, 3)
    assert Residual(3, 3, layers=layers)(X).shape == (4, 3, 6, 6)


@pytest.mark.parametrize("block", [Residual(4, 4), Bottleneck(16, 4), ResNeXtBlock(4, 4, 2, 1.0)])
def test_a_block_whose_branch_is_zero_passes_on_what_is_not_negative(block):
    last = block.bn2 if isinstance(block, Residual) else block.bn3
    nn.init.zeros_(last.weight)
    channels = 16 if isinstance(block, Bottleneck) else 4
    X = torch.randn(2, channels, 5, 5)
    assert torch.equal(block(X), X.relu())


@pytest.mark.parametrize("block", [Residual, Bottleneck])
def test_unequal_shapes_without_a_1x1_convolution_are_refused(block):
    with pytest.raises(UsageError, match=r"3 channels and .* pass use_1x1conv=True"):
        block(3, 6)
    with pytest.raises(UsageError, match="at stride 2"):
        block(6 * block.expansion, 6, strides=2)


def test_resnext_is_the_published_one():
    model = on_meta(ResNeXt, in_channels=3, num_classes=1000)
    assert published(model) == 25_028_904
    assert shapes(on_meta(ResNeXt), 224)[1:5] == [
        (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)
    ]  # fmt: skip


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_grouped_convolution_has_one_gth_of_the_weights(groups):
    block = ResNeXtBlock(8, 16, groups, 0.5, use_1x1conv=True)
    assert block.conv2.weight.numel() == 9 * 8 * 8 / groups
    with pytest.raises(UsageError, match=r"divide the 8 channels .* got 3"):
        ResNeXtBlock(8, 16, 3, 0.5, use_1x1conv=True)


@pytest.mark.parametrize("layers", PAIRED)
def test_a_dense_block_adds_channels_to_what_it_was_given(layers):
    block = DenseBlock(2, 3, 10, layers)
    X = torch.randn(4, 3, 8, 8)
    Y = block(X)
    assert Y.shape == (4, block.out_channels, 8, 8) == (4, 23, 8, 8)
    assert torch.equal(Y[:, :3], X)
    assert torch.allclose(Y[:, 3:13], block.net[0](X), atol=1e-5)
    assert torch.allclose(Y[:, 13:], block.net[1](Y[:, :13]), atol=1e-5)
    assert transition_block(23, 10, layers)(Y).shape == (4, 10, 4, 4)


def test_densenets_channels_grow_by_128_and_are_halved():
    model = on_meta(DenseNet)
    found = shapes(model, 96)
    assert [s[0] for s in found[:-1]] == [64, 192, 96, 224, 112, 240, 120, 248]
    assert [s[1] for s in found[:-1]] == [24, 24, 12, 12, 6, 6, 3, 3]
    assert count(model) == 758_226


@pytest.mark.parametrize(
    ("kind", "rule", "stages", "parameters"),
    [
        (RegNetX, (13, 24, 36.44, 2.49, 8), ((1, 1, 4, 7), (24, 56, 152, 368)), 2_684_792),
        (RegNetX, (22, 24, 24.48, 2.54, 16), ((1, 2, 7, 12), (32, 64, 160, 400)), 5_495_976),
        (RegNetY, (13, 24, 36.44, 2.49, 8), ((1, 1, 4, 7), (24, 56, 152, 368)), 3_162_996),
        (RegNetY, (16, 48, 27.89, 2.09, 8), ((1, 3, 6, 6), (48, 104, 208, 440)), 4_344_144),
    ],
)
def test_regnets_are_the_published_ones(kind, rule, stages, parameters):
    assert regnet_stages(*rule) == stages
    depths, channels = stages
    model = on_meta(kind, in_channels=3, num_classes=1000, depths=depths, channels=channels,
                    group_width=rule[-1])  # fmt: skip
    assert published(model) == parameters


def test_every_stage_of_an_anynet_halves_the_size():
    model = on_meta(RegNetX, depths=(1, 2, 1, 1), channels=(16, 32, 48, 64))
    assert shapes(model, 96) == [
        (32, 48, 48), (16, 24, 24), (32, 12, 12), (48, 6, 6), (64, 3, 3), (10,)
    ]  # fmt: skip


def test_anynets_numbers_must_fit_together():
    with pytest.raises(UsageError, match="one number for each stage, got 2 and 3"):
        RegNetX(depths=(1, 2), channels=(16, 32, 48))
    with pytest.raises(UsageError, match=r"divide the 24 channels .* got 16"):
        RegNetX(depths=(1,), channels=(24,), group_width=16)


@pytest.mark.parametrize(
    ("kind", "smallest"), [(AlexNet, 65), (VGG11, 32), (NiN, 67), (DenseNet, 29)]
)
def test_images_too_small_for_the_depth_are_refused_with_the_smallest_size(kind, smallest):
    assert shapes(on_meta(kind, image_size=smallest), smallest)[-1] == (10,)
    with pytest.raises(UsageError, match=f"at least {smallest}×{smallest}, got 20×20: pass resize"):
        kind(image_size=20)
    with pytest.raises(UsageError, match="at least"):
        kind(image_size=smallest - 1)


@pytest.mark.parametrize("kind", FAMILIES)
def test_r24_hes_initialisation_takes_effect(kind):
    torch.manual_seed(0)
    entry = next(s for s in catalog.systems() if kind in s.forms.values())
    settings = entry.presets["small"]
    size = settings["resize"] or 28
    known = inspect.signature(kind).parameters
    small = {name: value for name, value in settings.items() if name in known}
    wide = [m for m in kind(image_size=size, **small).modules()
            if isinstance(m, (nn.Conv2d, nn.Linear)) and m.weight.numel() > 2000]  # fmt: skip
    assert wide
    for layer in wide:
        fan_in = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.1)


class Lone(DataModule):
    """Nine images: in batches of four, one is left over."""

    def __init__(self, batch_size=4, n=9):
        self.save_hyperparameters()

    def get_dataloader(self, train):
        X, y = torch.rand(self.n, 1, 28, 28), torch.arange(self.n) % 10
        return self.get_tensorloader((X, y), train)


def small(kind, **more):
    return kind(image_size=28, stem="small", width=4, **more)


def test_a_training_batch_of_one_is_refused_before_the_first_step():
    trainer = Trainer(max_epochs=1, progress=False, device="cpu")
    for data, given, way_out in (
        (Lone(), "9 in batches of 4", "batch_size=5"),
        (Lone(batch_size=1), "9 in batches of 1", "batch_size=3"),
        (Lone(n=1), "1 in batches of 4", "give it more"),
    ):
        with pytest.raises(UsageError, match=f"at least 2 examples .* got {given}: .*{way_out}"):
            trainer.fit(small(ResNet18), data)
    with pytest.raises(UsageError, match="got a batch of 1"):
        small(ResNet18).training_step((torch.rand(1, 1, 28, 28), torch.tensor([3])))


def test_a_batch_of_one_is_fine_without_batch_norm_or_where_it_never_comes():
    trainer = Trainer(max_epochs=1, limit_batches=2, progress=False, device="cpu")
    assert len(trainer.fit(small(ResNet18), Lone())) == 1
    alexnet = AlexNet(image_size=28, channels=(4,) * 5, first_kernel=5, first_stride=1,
                      num_hiddens=8)  # fmt: skip
    assert len(Trainer(max_epochs=1, progress=False, device="cpu").fit(alexnet, Lone())) == 1


def test_a_vgg_block_of_any_length_has_a_relu_behind_each_convolution():
    kinds = [type(m).__name__ for m in vgg_block(3, 1, 4)]
    assert kinds == ["Conv2d", "ReLU"] * 3 + ["MaxPool2d"]


@pytest.mark.parametrize("kind", FAMILIES)
def test_images_that_a_network_was_not_made_for_are_refused_in_one_line(kind):
    model = on_meta(kind).eval()
    size = model.image_size
    with pytest.raises(
        UsageError, match=rf"{kind.__name__} was made for images of 1×{size}×{size}"
    ):
        model(torch.zeros(2, 3, size, size, device="meta"))
    with pytest.raises(UsageError, match=r"got a batch of 1×96×96: pass resize"):
        model(torch.zeros(1, 96, 96, device="meta"))
    larger = torch.zeros(2, 1, size + 32, size + 32, device="meta")
    if kind.any_size:
        assert model(larger).shape == (2, 10)
    else:
        with pytest.raises(UsageError, match=f"got a batch of 2×1×{size + 32}"):
            model(larger)
