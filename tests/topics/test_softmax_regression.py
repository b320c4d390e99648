import os

import pytest
import torch
from tests.topics.curves import curve
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.topics.softmax_regression.concise import SoftmaxRegression
from freedive.topics.softmax_regression.scratch import (
    SoftmaxRegressionScratch,
    cross_entropy,
    log_softmax,
    naive_softmax,
    softmax,
)

FORMS = [SoftmaxRegressionScratch, SoftmaxRegression]


def twins(num_inputs=12, num_outputs=4, lr=0.1):
    """Both forms with equal weights."""
    torch.manual_seed(0)
    scratch = SoftmaxRegressionScratch(num_inputs, num_outputs, lr, sigma=0.5)
    concise = SoftmaxRegression(num_inputs, num_outputs, lr)
    concise.load_state_dict({"net.1.weight": scratch.W.T, "net.1.bias": scratch.b})
    return scratch, concise


@pytest.mark.parametrize("n", [0, 1, 9])
def test_both_forms_agree_in_outputs_and_gradients(n):
    scratch, concise = twins()
    X, y = torch.rand(n, 1, 3, 4), torch.randint(4, (n,))
    assert torch.allclose(scratch(X), concise(X), atol=1e-6)
    assert scratch(X).shape == (n, 4)
    if n == 0:
        return
    scratch.loss(scratch(X), y).backward()
    concise.loss(concise(X), y).backward()
    assert torch.allclose(scratch.W.grad.T, concise.net[1].weight.grad, atol=1e-6)
    assert torch.allclose(scratch.b.grad, concise.net[1].bias.grad, atol=1e-6)


def test_both_forms_learn_along_one_curve():
    torch.manual_seed(1)
    X, y = torch.rand(32, 12), torch.randint(4, (32,))
    curves = [curve(model, [(X, y)] * 20) for model in twins(lr=0.5)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert curves[0][-1] < curves[0][0]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 10), (2, 3, 7)])
def test_softmax_and_its_logarithm_equal_torchs(shape):
    torch.manual_seed(0)
    X = (5 * torch.randn(shape, dtype=torch.float64)).requires_grad_()
    for ours, theirs in (
        (softmax(X), F.softmax(X, dim=-1)),
        (naive_softmax(X), F.softmax(X, dim=-1)),
        (log_softmax(X), F.log_softmax(X, dim=-1)),
    ):
        assert torch.allclose(ours, theirs)
        weights = torch.rand(shape, dtype=torch.float64)
        (a,), (b,) = (torch.autograd.grad((t * weights).sum(), X) for t in (ours, theirs))
        assert torch.allclose(a, b)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_huge_logits_neither_overflow_nor_lose_the_answer(dtype):
    X = torch.tensor([[3e4, 3e4, -3e4], [-3e4, -3e4, -3e4]], dtype=dtype)
    assert torch.allclose(softmax(X).float(), torch.tensor([[0.5, 0.5, 0], [1 / 3] * 3]), atol=3e-3)
    assert log_softmax(X).isfinite().all()


def test_losses_of_the_scratch_form_equal_torchs():
    torch.manual_seed(0)
    model, logits, y = SoftmaxRegressionScratch(), torch.randn(2, 5, 10), torch.randint(10, (2, 5))
    expected = F.cross_entropy(logits.reshape(-1, 10), y.reshape(-1), reduction="none")
    assert torch.allclose(model.loss(logits, y, averaged=False), expected)
    assert torch.allclose(model.loss(logits, y), expected.mean())
    assert torch.allclose(cross_entropy(softmax(logits[0]), y[0]), expected[:5].mean(), atol=1e-6)


def test_the_first_loss_is_that_of_guessing():
    torch.manual_seed(0)
    X, y = torch.rand(64, 1, 28, 28), torch.randint(10, (64,))
    for model in (form(sigma=1e-4) for form in FORMS):
        assert model.loss(model(X), y).item() == pytest.approx(2.3026, abs=1e-2)


@pytest.mark.parametrize("model", FORMS)
def test_parameters_are_counted_saved_and_initialised(model):
    torch.manual_seed(0)
    fitted = model(sigma=0.2)
    assert sum(p.numel() for p in fitted.parameters()) == 7850
    weight, bias = (t for t in fitted.state_dict().values())
    assert weight.std().item() == pytest.approx(0.2, rel=0.05)
    assert not bias.any()


@pytest.mark.parametrize("model", FORMS)
def test_images_of_another_size_are_no_other_number_of_images(model):
    with pytest.raises(RuntimeError):
        model()(torch.zeros(1, 1, 56, 56))
    with pytest.raises(UsageError, match="num_outputs"):
        model(num_outputs=0)


def test_inputs_may_be_in_any_memory_layout():
    scratch, concise = twins()
    X = torch.rand(5, 3, 2, 2)
    other = X.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(scratch(X), scratch(other))
    assert torch.allclose(scratch(other), concise(X))


@pytest.mark.skipif("FREEDIVE_DATA" not in os.environ, reason="wants FREEDIVE_DATA")
@pytest.mark.parametrize("model", FORMS)
def test_one_epoch_of_fashion_mnist_reaches_the_expected_band(model):
    from freedive.data.fashion_mnist import FashionMNIST

    torch.manual_seed(0)
    trainer = Trainer(max_epochs=1, seed=0, device="cpu", progress=False)
    assert 0.74 < trainer.fit(model(), FashionMNIST()).last["val_acc"] < 0.82


@pytest.mark.parametrize("form", FORMS)
def test_probabilities_as_targets_cost_what_their_classes_do(form):
    torch.manual_seed(0)
    model, logits, y = form(), torch.randn(4, 10, requires_grad=True), torch.tensor([0, 3, 3, 9])
    certain = torch.nn.functional.one_hot(y, 10).float()
    assert torch.allclose(model.loss(logits, certain), model.loss(logits, y))
    soft = (certain + certain.roll(1, 0)) / 2
    mixed = -(soft * logits.log_softmax(1)).sum(1)
    assert torch.allclose(model.loss(logits, soft, False), mixed)
    with pytest.raises(UsageError, match="one output for each class"):
        model.loss(logits, soft[:, :9])
