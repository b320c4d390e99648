import json

import pytest
import torch
from tests.topics.curves import curve
from torch import nn
from torch.nn import functional as F

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.synthetic import SyntheticRegressionData
from freedive.topics.linear_regression.concise import LinearRegression
from freedive.topics.linear_regression.scratch import (
    SGD,
    LinearRegressionScratch,
    absolute_loss,
    gaussian_negative_log_likelihood,
    huber_loss,
    least_squares,
    squared_loss,
)

FORMS = [LinearRegressionScratch, LinearRegression]
CRITERIA = ["squared", "huber", "absolute"]


def twins(criterion="squared", num_inputs=3, lr=0.03):
    """Both forms with equal weights."""
    torch.manual_seed(0)
    scratch = LinearRegressionScratch(num_inputs, lr, sigma=1.0, criterion=criterion)
    concise = LinearRegression(num_inputs, lr, criterion=criterion)
    with torch.no_grad():
        concise.net.weight.copy_(scratch.w.T)
        concise.net.bias.copy_(scratch.b)
    return scratch, concise


def fit(model, epochs, **data_arguments):
    data = SyntheticRegressionData(data_seed=0, **data_arguments)
    history = Trainer(max_epochs=epochs, seed=0, device="cpu", progress=False).fit(model, data)
    return data, history


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_both_forms_agree_in_outputs_and_gradients(criterion, n):
    scratch, concise = twins(criterion)
    X, y = torch.randn(n, 3), 3 * torch.randn(n, 1)
    assert torch.allclose(scratch(X), concise(X))
    if n == 0:
        return
    scratch.loss(scratch(X), y).backward()
    concise.loss(concise(X), y).backward()
    assert torch.allclose(scratch.w.grad.T, concise.net.weight.grad, atol=1e-6)
    assert torch.allclose(scratch.b.grad, concise.net.bias.grad, atol=1e-6)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_both_forms_learn_along_one_curve(criterion):
    data = SyntheticRegressionData(w=(2.0, -3.4, 1.0), num_train=100, num_val=10, data_seed=1)
    curves = [curve(model, [*data.val_dataloader()] * 10) for model in twins(criterion)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert curves[0][-1] < curves[0][0]


@pytest.mark.parametrize("model", FORMS)
def test_training_recovers_the_law_of_the_data(model):
    fitted = model()
    data, _ = fit(fitted, epochs=10)
    w, b = fitted.get_w_b()
    assert torch.allclose(w, data.w, atol=0.01)
    assert abs(b - 4.2) < 0.01


def test_the_loop_written_by_hand_gives_the_trainers_bits():
    model = LinearRegressionScratch(sigma=0.0)
    data, history = fit(model, epochs=2, num_train=70, batch_size=32)
    w, b = torch.zeros(2, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
    loader = data.train_dataloader()
    loader.seed = 0
    for loader.epoch in range(2):
        for X, y in loader:
            loss = ((X @ w + b - y) ** 2 / 2).mean()
            loss.backward()
            with torch.no_grad():
                for p in (w, b):
                    p -= 0.03 * p.grad
                    p.grad = None
    assert torch.equal(model.w, w)
    assert torch.equal(model.b, b)
    assert len(history) == 2


@pytest.mark.parametrize("model", FORMS)
def test_r18_the_parameters_are_saved_and_moved(model):
    fitted = model(num_inputs=3)
    assert sorted(tuple(t.shape) for t in fitted.state_dict().values()) in (
        [(1,), (1, 3)],
        [(1,), (3, 1)],
    )
    assert {p.device.type for p in fitted.to("meta").parameters()} == {"meta"}
    assert {p.dtype for p in model().double().parameters()} == {torch.float64}


def test_r24_an_initialiser_takes_effect():
    for model in FORMS:
        w, b = model(num_inputs=20_000, sigma=0.3).get_w_b()
        assert w.std().item() == pytest.approx(0.3, rel=0.03)
        assert b.item() == 0
        assert model(num_inputs=5, sigma=0.0).get_w_b()[0].abs().max() == 0


def test_r26_a_short_last_batch_is_scaled_by_its_own_size():
    w = torch.zeros(2, 1, requires_grad=True)
    X, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])
    squared_loss(X @ w, y).mean().backward()  # one example where a batch has 32
    SGD([w], lr=0.1).step()
    assert torch.allclose(w.detach(), 0.1 * 3 * X.T)


def test_sgd_equals_torchs_and_skips_what_has_no_gradient():
    torch.manual_seed(0)
    ours = [torch.randn(3, 2, requires_grad=True), torch.ones(1, requires_grad=True)]
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    optims = SGD(iter(ours), lr=0.1), torch.optim.SGD(theirs, lr=0.1)
    for params, optim in zip((ours, theirs), optims, strict=True):
        for _ in range(3):
            optim.zero_grad()
            (params[0] ** 3).sum().backward()
            optim.step()
    assert torch.allclose(ours[0], theirs[0])
    assert ours[1].item() == 1


def test_losses_equal_torchs():
    torch.manual_seed(0)
    y_hat, y = 3 * torch.randn(50), torch.randn(50)
    assert torch.allclose(squared_loss(y_hat, y), F.mse_loss(y_hat, y, reduction="none") / 2)
    assert torch.allclose(absolute_loss(y_hat, y), F.l1_loss(y_hat, y, reduction="none"))
    for delta in (0.3, 1.0, 2.5):
        expected = F.huber_loss(y_hat, y, reduction="none", delta=delta)
        assert torch.allclose(huber_loss(y_hat, y, delta), expected)


def test_least_squares_equals_a_solver_and_refuses_dependent_columns():
    torch.manual_seed(0)
    X, y = torch.randn(40, 3, dtype=torch.float64), torch.randn(40, 1, dtype=torch.float64)
    w, b = least_squares(X, y)
    ones = torch.cat([X, torch.ones(40, 1)], dim=1)
    assert torch.allclose(torch.cat([w, b[None]]), torch.linalg.lstsq(ones, y).solution[:, 0])
    with pytest.raises(UsageError, match="independent"):
        least_squares(torch.cat([X, 2 * X[:, :1]], dim=1), y)
    with pytest.raises(UsageError, match="from 2 examples"):
        least_squares(X[:2], y[:2])


def test_likelihood_equals_the_distributions():
    y_hat, y = torch.tensor([0.0, 1.0]), torch.tensor([0.5, -1.0])
    expected = -torch.distributions.Normal(y_hat, 0.7).log_prob(y).sum()
    assert torch.allclose(gaussian_negative_log_likelihood(y_hat, y, 0.7), expected)


@pytest.mark.parametrize("model", FORMS)
def test_arguments_are_checked_at_the_door(model):
    with pytest.raises(UsageError, match="num_inputs wants a whole number"):
        model(num_inputs=0)
    with pytest.raises(UsageError, match="lr wants"):
        model(lr=0.0)
    with pytest.raises(UsageError, match="did you mean 'squared'"):
        model(criterion="square")
    with pytest.raises(UsageError, match="one number is wanted for each target"):
        model().loss(torch.zeros(3, 1), torch.zeros(2))


@pytest.mark.parametrize("model", FORMS)
def test_the_report_names_what_was_found_and_the_truth(model, tmp_path):
    fitted = model()
    data, _ = fit(fitted, epochs=10)
    (line,) = fitted.write_samples(data, tmp_path)
    assert line.startswith("w = (")
    assert line.endswith("true (2, -3.4), 4.2")
    written = json.loads((tmp_path / "parameters.json").read_text())
    assert written["w"] == pytest.approx([2, -3.4], abs=0.01)
    assert written["error_w"] == pytest.approx(
        [2 - written["w"][0], -3.4 - written["w"][1]], abs=1e-6
    )
    assert written["error_b"] == pytest.approx(4.2 - written["b"])
    many = model(num_inputs=200)
    assert len(many.write_samples(SyntheticRegressionData(w=[0.01] * 200), tmp_path)[0]) < 120


def test_a_linear_layer_is_what_the_scratch_form_computes():
    scratch, _ = twins()
    layer = nn.Linear(3, 1)
    layer.load_state_dict({"weight": scratch.w.T, "bias": scratch.b})
    X = torch.randn(5, 3)
    assert torch.allclose(scratch(X), layer(X))
