"""Scales of activations, gradients and updates, against autograd and optimizers at work."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freedive import catalog
from freedive.insight.features import InsightError
from freedive.insight.gradients import Gradients, gradients


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Linear(6, 5), nn.ReLU(inplace=True), nn.BatchNorm1d(5), nn.Linear(5, 3))
    return nn.Sequential(*layers)


def batch(seed: int = 1) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(8, 6, generator=chance), torch.randint(3, (8,), generator=chance)


def rms(x: Tensor) -> float:
    return float(x.detach().square().mean().sqrt())


def test_activations_and_gradients_agree_with_a_pass_by_hand() -> None:
    model, (X, y) = network(), batch()
    found = gradients(model, (X, y), F.cross_entropy)
    outs = [X]
    for layer in copy.deepcopy(model):
        outs.append(layer(outs[-1]) if not isinstance(layer, nn.ReLU) else outs[-1].relu())
    loss = F.cross_entropy(outs[-1], y)
    grads = torch.autograd.grad(loss, outs[1:-1], retain_graph=True)
    assert found.loss == pytest.approx(float(loss.detach()))
    assert [x.path for x in found.layers] == ["0", "1", "2", "3"]
    for row, out in zip(found.layers, outs[1:], strict=True):
        numbers = out.detach()
        got = (row.activation.mean, row.activation.std, row.activation.rms)
        want = (float(numbers.mean()), float(numbers.std(correction=0)), rms(numbers))
        assert got == pytest.approx(want, rel=1e-4, abs=1e-6)
    # the last batch norm's gradient is that of the copy's own graph, layer for layer
    for row, grad in zip(found.layers[1:-1], grads[1:], strict=True):
        assert row.gradient is not None
        assert row.gradient.rms == pytest.approx(rms(grad), rel=1e-4)
    linear = found.layers[0].gradient
    assert linear is not None
    assert linear.rms == pytest.approx(rms(grads[0]), rel=1e-4)


OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda ps: torch.optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1),
    "AdamW": lambda ps: torch.optim.AdamW(ps, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_ratio_is_that_of_the_optimizers_next_step(name: str) -> None:
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    for seed in (2, 3):  # so that momentum has something to remember
        step(model, optimizer, batch(seed))
    state = copy.deepcopy(optimizer.state_dict())
    model.zero_grad()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    found = {
        p.path: p
        for p in gradients(model, batch(), F.cross_entropy, optimizer=optimizer).parameters
    }
    torch.testing.assert_close(optimizer.state_dict(), state)
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    step(model, optimizer, batch())
    for path, p in model.named_parameters():
        want = rms(p - before[path]) / rms(before[path])
        assert found[path].ratio == pytest.approx(want, rel=1e-3)
        assert found[path].weight.rms == pytest.approx(rms(before[path]), rel=1e-5)
        assert found[path].gradient is not None
        assert found[path].gradient.rms == pytest.approx(rms(p.grad), rel=1e-3)


def step(model: nn.Module, optimizer: Any, given: tuple[Tensor, Tensor]) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(given[0]), given[1]).backward()
    optimizer.step()


def test_a_learning_rate_alone_means_gradient_descent() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    ratios = [
        [p.ratio for p in gradients(model, batch(), F.cross_entropy, **given).parameters]
        for given in ({"lr": 0.5}, {"optimizer": optimizer}, {})
    ]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)
    assert ratios[2] == [None] * 6


def test_vanishing_gradients_show() -> None:
    torch.manual_seed(0)
    deep = nn.Sequential(*[nn.Sequential(nn.Linear(6, 6), nn.Sigmoid()) for _ in range(8)])
    rows = {x.path: x for x in gradients(deep, batch(), F.cross_entropy).layers}
    first, last = rows["0.0"].gradient, rows["7.0"].gradient
    assert first is not None
    assert last is not None
    assert first.rms < 1e-3 * last.rms


def test_frozen_and_unused_parameters_have_no_gradient() -> None:
    model = network()
    model[0].requires_grad_(False)
    model.register_parameter("unused", nn.Parameter(torch.ones(2)))
    found = gradients(model, batch(), F.cross_entropy, lr=0.1)
    rows = {p.path: p for p in found.parameters}
    for path in ("0.weight", "unused"):
        assert (rows[path].gradient, rows[path].ratio) == (None, None)
    assert found.layers[0].gradient is None
    assert rows["3.weight"].ratio is not None
    assert "–" in str(found)


def test_a_layer_called_twice_is_one_row_over_both_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    model, x = Twice(), torch.randn(2, 3)
    (row,) = gradients(model, (x, torch.zeros(2, 3)), F.mse_loss).layers
    both = torch.cat([model.layer(x), model(x)])
    assert row.activation.rms == pytest.approx(rms(both), rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_no_trace_is_left(training: bool) -> None:
    model = nn.Sequential(*network(), nn.Dropout()).train(training)
    model[0].weight.grad = torch.ones(5, 6)
    X, y = batch()
    X.requires_grad_()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    chance = torch.get_rng_state()
    with torch.no_grad():
        gradients(model, (X, y), F.cross_entropy, lr=0.1)
        assert not torch.is_grad_enabled()
    assert model.training is training
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert torch.equal(model[0].weight.grad, torch.ones(5, 6))
    assert model[3].weight.grad is None
    assert X.grad is None
    assert torch.equal(torch.get_rng_state(), chance)


def test_a_system_of_the_catalog_brings_its_own_loss_and_optimizer() -> None:
    for model_class in catalog.find_system("mlp").forms.values():
        model = model_class(num_hiddens=16)
        given = torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 3])
        found = gradients(model, given, optimizer=model.configure_optimizers())
        assert found.loss == pytest.approx(float(model.loss(model(given[0]), given[1]).detach()))
        assert all(p.ratio is not None for p in found.parameters)


@pytest.mark.parametrize(
    ("model", "given", "loss", "told"),
    [
        (network(), batch(), None, "pass loss="),
        (network(), batch()[:1], F.cross_entropy, r"\(inputs, target\)"),
        (nn.Flatten(), batch(), F.cross_entropy, r"0 parameter\(s\) that learn"),
        (network().requires_grad_(False), batch(), F.cross_entropy, "let parameters require"),
        (network(), batch(), lambda a, b: a, r"one number .* got shape \(8, 3\)"),
        (network(), (torch.ones(8, 2), batch()[1]), F.cross_entropy, "RuntimeError in 0: "),
        (network(), batch(), lambda a, b: F.cross_entropy(a, b[:2]), "the loss raised ValueError"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_line(
    model: nn.Module, given: Any, loss: Any, told: str
) -> None:
    with pytest.raises(InsightError, match=told) as caught:
        gradients(model, given, loss)
    assert "\n" not in str(caught.value)


def test_the_table_and_the_figure_show_every_row() -> None:
    found = gradients(network(), batch(), F.cross_entropy, lr=0.1)
    assert isinstance(found, Gradients)
    layers, weights = (part.splitlines() for part in str(found).split("\n\n"))
    assert [line.split()[0] for line in layers] == ["layer", "0", "1", "2", "3"]
    assert len(weights) == 1 + len(found.parameters)
    left, right = found.figure().axes
    assert [len(line.get_ydata()) for line in left.lines] == [4, 4]
    assert list(right.lines[0].get_ydata()) == [p.ratio for p in found.parameters]
