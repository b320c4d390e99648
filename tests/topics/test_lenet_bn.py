import copy

import pytest
import torch
from tests.topics.curves import curve
from torch import nn

from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.insight.doctor import doctor
from freedive.insight.summary import summary
from freedive.topics.convolution.lenet import LeNet
from freedive.topics.modern_cnn import scratch
from freedive.topics.modern_cnn.lenet_bn import SMALL, BNLeNet, BNLeNetScratch

FORMS = [BNLeNet, BNLeNetScratch]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, scratch.BatchNorm)
MODEL = {name: value for name, value in SMALL.items() if name != "max_epochs"}
every_form = pytest.mark.parametrize("form", FORMS)


class Stripes(DataModule):
    """Stripes at two slants: learnable in a few steps."""

    def __init__(self, batch_size=16, num_train=64):
        self.save_hyperparameters()

    def get_dataloader(self, train):
        numbers, grid = torch.arange(self.num_train if train else 64), torch.arange(28.0)
        y = numbers % 2
        slant = torch.where(y == 0, 1.0, -1.0)[:, None, None]
        X = torch.sin(0.8 * (grid[:, None] + slant * grid) + numbers[:, None, None])
        return self.get_tensorloader((X[:, None], y), train)


def images(n=8, size=28):
    return torch.rand(n, 1, size, size)


def twins(**arguments):
    """Both forms with equal weights and averages: their names are the same."""
    concise, scratch_form = BNLeNet(**arguments), BNLeNetScratch(**arguments)
    concise(images(size=concise.image_size))  # averages that are not the first ones
    scratch_form.load_state_dict(concise.state_dict())
    return concise, scratch_form


def trained(form, **arguments):
    trainer = Trainer(max_epochs=6, seed=0, device="cpu", progress=False)
    model = form(num_classes=2, **{**MODEL, "lr": 0.02, **arguments})
    return model, trainer.fit(model, Stripes())


def without_norms(model):
    return nn.Sequential(*(layer for layer in model.net if not isinstance(layer, NORMS)))


@pytest.mark.parametrize(
    "arguments", [{}, {"activation": "relu", "pooling": "max", "padding": 2}, {"image_size": 17}]
)
@pytest.mark.parametrize("training", [True, False])
def test_both_forms_agree_in_outputs_gradients_and_averages(arguments, training):
    models = [model.train(training) for model in twins(**arguments)]
    X, y = images(size=models[0].image_size), torch.arange(8)
    outputs = [model(X) for model in models]
    assert torch.allclose(*outputs, atol=1e-5)
    for model, output in zip(models, outputs, strict=True):
        model.loss(output, y).backward()
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_both_forms_learn_along_one_curve():
    X, y = images(32), torch.arange(32) % 10
    curves = [curve(model, [(X, y)] * 10) for model in twins()]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    assert curves[0][-1] < curves[0][0]


@every_form
def test_it_equals_the_books_sequential_in_training_and_in_prediction(form):
    model = form()
    book = nn.Sequential(
        *(nn.Conv2d(1, 6, kernel_size=5), nn.BatchNorm2d(6), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        *(nn.Conv2d(6, 16, kernel_size=5), nn.BatchNorm2d(16), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        nn.Flatten(),
        *(nn.Linear(256, 120), nn.BatchNorm1d(120), nn.Sigmoid()),
        *(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.Sigmoid(), nn.Linear(84, 10)),
    )
    book.load_state_dict(model.net.state_dict())
    for _ in range(2):
        X = images()
        assert torch.allclose(book(X), model(X), atol=1e-5)
    assert torch.allclose(book.eval()(X), model.eval()(X), atol=1e-5)
    assert not torch.allclose(book.train()(X), model(X), atol=1e-3)


@every_form
def test_it_has_44878_parameters_of_which_452_are_gamma_and_beta(form):
    model = form()
    norms = [layer for layer in model.net if isinstance(layer, NORMS)]
    assert sum(p.numel() for p in model.parameters()) == 44_878
    assert sum(p.numel() for layer in norms for p in layer.parameters()) == 452
    sides = [layer.shape[-1] for layer in shapes(model) if layer.dim() == 4]
    assert sides == [24] * 3 + [12] + [8] * 3 + [4]


def shapes(model):
    X = images()
    for layer in model.net:
        X = layer(X)
        yield X


@every_form
def test_with_padding_2_it_is_lenet_once_its_norms_are_gone(form):
    model, lenet, X = form(padding=2), LeNet(lr=0.1), images()
    rest = without_norms(model)
    lenet.net.load_state_dict(rest.state_dict())
    assert torch.allclose(rest(X), lenet(X), atol=1e-5)
    assert sum(p.numel() for p in model.parameters()) == 61_706 + 452
    with pytest.raises(RuntimeError, match="size mismatch"):
        lenet.net.load_state_dict(without_norms(form()).state_dict())  # the book's


@every_form
@pytest.mark.parametrize(("padding", "smallest"), [(0, 16), (1, 14), (2, 12)])
def test_any_size_from_the_smallest_on_fits(form, padding, smallest):
    for size in (smallest, smallest + 1, 33):
        model = form(in_channels=3, image_size=size, padding=padding)
        assert model(torch.rand(2, 3, size, size)).shape == (2, 10)
    with pytest.raises(UsageError, match=f"wants images of at least {smallest}×{smallest}, got"):
        form(image_size=smallest - 1, padding=padding)


@every_form
def test_r31_a_prediction_with_gradients_on_leaves_the_averages_alone(form):
    model, _ = trained(form)
    before = copy.deepcopy(model.state_dict())
    model.eval()(images()).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@every_form
def test_r22_a_trained_model_predicts_the_same_after_a_file_and_in_its_twin(form, tmp_path):
    model, history = trained(form)
    assert history.last["val_acc"] == 1.0
    save_checkpoint(tmp_path / "model", model.state_dict())
    X = images()
    for other in FORMS:
        loaded = other(**model.hparams)
        assert not torch.allclose(loaded.eval()(X), model.eval()(X), atol=1e-2)
        loaded.load_state_dict(load_checkpoint(tmp_path / "model"))
        assert torch.allclose(loaded(X), model(X), atol=1e-5)


@every_form
def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(form):
    model, _ = trained(form)
    X = images()
    assert torch.allclose(model.eval()(X)[:1], model(X[:1]), atol=1e-5)
    assert not torch.allclose(model.train()(X)[:2], model(X[:2]), atol=1e-2)


@every_form
def test_a_batch_of_one_is_refused_before_the_first_step(form):
    model = form(num_classes=2)
    trainer = Trainer(max_epochs=1, device="cpu", progress=False)
    with pytest.raises(UsageError, match="wants at least 2 examples"):
        trainer.fit(model, Stripes(num_train=17))
    assert model.net[1].num_batches_tracked == 0
    with pytest.raises(
        UsageError, match="at least 2 examples in a training batch, got a batch of 1"
    ):
        model.training_step((images(1), torch.tensor([0])))


@every_form
def test_the_doctor_finds_nothing_and_the_table_has_a_row_for_each_norm(form):
    table = summary(form(), (1, 1, 28, 28))
    assert table.parameters == 44_878
    assert [layer.parameters for layer in table.layers if "BatchNorm" in layer.kind] == [
        *(12, 32, 240, 168)
    ]
    assert not doctor(form(), (images(), torch.arange(8)))
