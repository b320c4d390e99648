"""What channels answer, against the layers called by hand; the model stays as it was."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freedive import catalog
from freedive.insight.features import Features, InsightError, features


def network() -> nn.Sequential:
    torch.manual_seed(0)
    block = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    return nn.Sequential(nn.Conv2d(2, 4, 3), block, nn.Flatten(), nn.Linear(4 * 9, 3))


IMAGE = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(1))


def test_maps_are_what_the_layers_give_though_the_next_one_works_in_place() -> None:
    model = network().eval()
    found = features(model, IMAGE)
    conv = F.conv2d(IMAGE[None], model[0].weight, model[0].bias)[0]
    assert list(found) == ["0", "1.0", "1.1"]
    torch.testing.assert_close(found["0"], conv)
    normed = F.batch_norm(conv[None], torch.zeros(4), torch.ones(4))[0]
    torch.testing.assert_close(found["1.0"], normed)
    torch.testing.assert_close(found["1.1"], normed.relu())
    assert not any(maps.requires_grad for maps in found.values())


def test_one_layer_or_several_or_a_block_can_be_asked_for() -> None:
    model = network()
    everything = features(model, IMAGE)
    assert list(features(model, IMAGE, "0")) == ["0"]
    assert list(features(model, IMAGE[None], ["1", "0"])) == ["1", "0"]
    assert torch.equal(features(model, IMAGE, "1")["1"], everything["1.1"])
    assert torch.equal(features(model[0], IMAGE)[""], everything["0"])


def test_an_image_of_one_pixel_and_one_channel() -> None:
    model = nn.Conv2d(1, 1, 1)
    maps = features(model, torch.ones(1, 1, 1))[""]
    torch.testing.assert_close(maps, (model.weight + model.bias)[0].detach())


def test_the_model_is_left_exactly_as_it_was() -> None:
    model = network().train()
    image, before = IMAGE.clone(), {n: t.clone() for n, t in model.state_dict().items()}
    chance = torch.get_rng_state()
    features(model, image)
    assert model.training
    assert model[1][0].training
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    features(nn.ReLU(inplace=True), image.sub_(0.5))
    assert torch.equal(image, IMAGE - 0.5)
    assert torch.equal(torch.get_rng_state(), chance)


def test_lenets_maps_agree_with_its_own() -> None:
    lenet = catalog.find_system("lenet").model()().eval()
    image = torch.rand(1, 28, 28)
    found = features(lenet, image, ["net.1", "net.4"])
    for mine, own in zip(found.values(), lenet.feature_maps(image[None]), strict=True):
        torch.testing.assert_close(mine, own[0].detach())


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("gone")


@pytest.mark.parametrize(
    ("model", "image", "layer", "told"),
    [
        (network(), IMAGE, "1.2", r"no layer '1.2': did you mean 1.[01]"),
        (network(), IMAGE, "3", "gives no maps .* choose from 0"),
        (network(), IMAGE[None].expand(2, 2, 5, 5), None, r"one image .*\(2, 2, 5, 5\)"),
        (network(), IMAGE[0], None, r"one image .*\(5, 5\)"),
        (network(), IMAGE[:1], None, "RuntimeError in 0: "),
        (nn.Flatten(), IMAGE, None, "Flatten gives no maps"),
        (Raises(), IMAGE, None, "KeyError in forward"),
        (nn.LazyConv2d(3, 2), IMAGE, None, "call the model once"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_line(
    model: nn.Module, image: Tensor, layer: str | None, told: str
) -> None:
    with pytest.raises(InsightError, match=told) as caught:
        features(model, image, layer)
    assert "\n" not in str(caught.value)


def test_the_figure_has_a_row_a_layer_and_a_column_a_channel() -> None:
    figure = features(network(), IMAGE).figure(num_channels=3)
    assert [len(axes.images) for axes in figure.axes] == [1] * 9
    few = Features({"a": torch.zeros(2, 4, 4)}).figure(num_channels=3)
    assert [len(axes.images) for axes in few.axes] == [1, 1, 0]
