import math

import pytest
import torch
from tests.topics.curves import curve
from torch import nn

from freedive.catalog import find_system
from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.topics.convolution.lenet import LeNet, LeNetScratch

FORMS = [LeNet, LeNetScratch]
MODERN = {k: v for k, v in find_system("lenet").presets["modern"].items() if k != "batch_size"}


class Stripes(DataModule):
    """Stripes at two slants: learnable in a few steps."""

    def __init__(self, batch_size=16):
        self.save_hyperparameters()

    def get_dataloader(self, train):
        grid = torch.arange(28.0)
        y = torch.arange(64) % 2
        slant = torch.where(y == 0, 1.0, -1.0)[:, None, None]
        X = torch.sin(0.8 * (grid[:, None] + slant * grid) + torch.arange(64)[:, None, None])
        return self.get_tensorloader((X[:, None], y), train)


def images(n=4, size=28):
    torch.manual_seed(0)
    return torch.rand(n, 1, size, size)


def twins(**arguments):
    """Both forms with equal weights: their names are the same."""
    torch.manual_seed(0)
    concise, scratch = LeNet(**arguments), LeNetScratch(**arguments)
    scratch.load_state_dict(concise.state_dict())
    return concise, scratch


@pytest.mark.parametrize("arguments", [{}, {"activation": "relu", "pooling": "max"}])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [12, 28, 31])
def test_both_forms_agree_in_outputs_and_gradients(arguments, layout, size):
    X, y = images(size=size), torch.tensor([0, 1, 2, 3])
    models = [m.to(memory_format=layout) for m in twins(image_size=size, **arguments)]
    outputs = [model(X) for model in models]
    assert torch.allclose(*outputs, atol=1e-5)
    for model, output in zip(models, outputs, strict=True):
        model.loss(output, y).backward()
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)


def test_both_forms_learn_along_one_curve():
    X, y = images(32), torch.arange(32) % 10
    curves = [curve(model, [(X, y)] * 10) for model in twins(activation="relu", lr=0.1)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    assert curves[0][-1] < curves[0][0]


@pytest.mark.parametrize("form", FORMS)
def test_it_equals_a_plain_sequential_with_61706_parameters(form):
    model = form()
    assert sum(p.numel() for p in model.parameters()) == 61_706
    plain = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )
    plain.load_state_dict(model.net.state_dict())
    assert torch.allclose(plain(images()), model(images()), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [12, 13, 27, 32, 96])
def test_any_size_from_twelve_on_fits_and_a_smaller_one_is_refused(form, size):
    assert form(in_channels=3, image_size=size)(torch.rand(2, 3, size, size)).shape == (2, 10)
    with pytest.raises(UsageError, match="at least 12×12, got 11×11: pass resize=28 to the data"):
        form(image_size=11)


@pytest.mark.parametrize("argument", ["activation", "pooling", "schedule"])
def test_an_unknown_word_is_refused(argument):
    with pytest.raises(UsageError, match=f"no {argument} is called 'cubic'"):
        LeNet(**{argument: "cubic"})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_r24_an_initialiser_takes_effect(form, activation):
    torch.manual_seed(0)
    for layer in form(image_size=60, activation=activation).net:
        if getattr(layer, "weight", None) is None or layer.weight.numel() < 1000:
            continue
        receptive = math.prod(layer.weight.shape[2:])
        fan_out, fan_in = (n * receptive for n in layer.weight.shape[:2])
        variance = 2 / fan_in if activation == "relu" else 2 / (fan_in + fan_out)
        assert layer.weight.std().item() == pytest.approx(math.sqrt(variance), rel=0.1)


@pytest.mark.parametrize("form", FORMS)
def test_r18_the_parameters_move(form):
    assert {p.device.type for p in form().to("meta").parameters()} == {"meta"}


def test_the_modern_preset_learns_with_the_trainer():
    torch.manual_seed(0)
    model = LeNet(num_classes=2, **{**MODERN, "lr": 0.03})
    trainer = Trainer(max_epochs=15, seed=0, device="cpu", progress=False)
    history = trainer.fit(model, Stripes())
    assert history["val_acc"][0] < history.last["val_acc"] == 1.0


def test_the_schedule_warms_up_and_ends_at_zero():
    rates = []

    class Watched(LeNet):
        def training_step(self, batch):
            rates.append(self.trainer.optim.param_groups[0]["lr"])
            return super().training_step(batch)

    trainer = Trainer(max_epochs=10, seed=0, device="cpu", progress=False)
    trainer.fit(Watched(num_classes=2, **MODERN), Stripes())
    peak = rates.index(max(rates))
    assert len(rates) == 40
    assert peak == 8  # a fifth of the way
    assert max(rates) == pytest.approx(MODERN["lr"])
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert trainer.optim.param_groups[0]["lr"] == pytest.approx(0, abs=1e-6)


def test_without_a_trainer_there_is_no_schedule():
    assert isinstance(LeNet(**MODERN).configure_optimizers(), torch.optim.SGD)


def test_feature_maps_are_the_outputs_of_both_convolutional_layers():
    model, X = LeNet(), images()
    first, second = model.feature_maps(X)
    assert first.shape == (4, 6, 28, 28)
    assert second.shape == (4, 16, 10, 10)
    assert torch.equal(model.net[5:](second), model(X))
