"""Initialisations beside torch.nn.init, scales beside a network of torch.nn, symmetry in SGD."""

import math

import pytest
import torch
from torch import nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import check_arguments
from freedive.topics.mlp.initialization import (
    drawn,
    growth,
    he_sigma,
    products,
    rms,
    scales,
    spread,
    symmetric_training,
    xavier_bound,
    xavier_sigma,
)
from freedive.topics.mlp.vanishing_lab import vanishing_gradients


def test_the_formulas_are_those_of_nn_init():
    W = torch.empty(300, 200)
    torch.manual_seed(0)
    assert nn.init.xavier_normal_(W).std().item() == pytest.approx(xavier_sigma(200, 300), rel=0.01)
    assert nn.init.xavier_uniform_(W).abs().max().item() == pytest.approx(
        xavier_bound(200, 300), rel=0.01
    )
    he = nn.init.kaiming_normal_(W, nonlinearity="relu").std().item()
    assert he == pytest.approx(he_sigma(200), rel=0.01)


@pytest.mark.parametrize(
    ("how", "sigma"),
    [("small", 0.01), ("unit", 1.0), ("xavier", xavier_sigma(400, 100)), ("he", he_sigma(400)),
     ("xavier-uniform", xavier_sigma(400, 100)), ("default", 1 / math.sqrt(3 * 400))],
)  # fmt: skip
def test_weights_have_the_deviation_that_their_name_says(how, sigma):
    W = drawn(how, 400, 100, torch.Generator().manual_seed(0))
    assert W.shape == (400, 100)
    assert W.std().item() == pytest.approx(sigma, rel=0.02)


def test_scales_are_those_of_a_network_of_torch_nn():
    X = torch.randn(8, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = scales(X, "xavier", "tanh", 3, seed=0)
    chance = torch.Generator().manual_seed(0)
    layers = []
    for _ in range(3):
        linear = nn.Linear(16, 16, bias=False).double()
        linear.weight.data = drawn("xavier", 16, 16, chance).T
        layers += [linear, nn.Tanh()]
    start = X.clone().requires_grad_()
    out = nn.Sequential(*layers)(start)
    out.square().sum().div(2).backward()
    assert found.activations[0] == pytest.approx(rms(X))
    assert found.activations[-1] == pytest.approx(rms(out.detach()))
    assert found.gradients[0] == pytest.approx(rms(start.grad))
    assert len(found.activations) == len(found.gradients) == len(found.zero) == 4


def test_products_are_products_and_grow_at_the_rate_of_theory():
    one = products(4, 3, seed=5)[0]
    chance = torch.Generator().manual_seed(5)
    A, B, C = (torch.randn(1, 4, 4, generator=chance, dtype=torch.float64)[0] for _ in range(3))
    torch.testing.assert_close(one, A @ B @ C)
    assert products(1, 1, seed=0).shape == (1, 1, 1)
    # entries alone: E log |N(0, 1)| = −(γ + log 2)/2
    assert growth(1) == pytest.approx(-(0.5772156649 + math.log(2)) / 2)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_equal_units_part_only_with_dropout(dropout):
    apart = symmetric_training(dropout, 20)
    assert len(apart) == 21
    assert (max(apart) > 0) == (dropout > 0)
    assert spread(torch.ones(3, 1)) == 0


def test_the_lab_shows_a_line_for_each_initialisation_and_is_the_same_each_time():
    small = {"depth": 4, "width": 8, "factors": 5}
    report = vanishing_gradients(**small)
    (rows,) = report.tables.values()
    assert len(rows) == 6
    assert set(report.figures) == {"layers", "sigmoid", "products", "symmetry"}
    again = vanishing_gradients(**small)
    assert (again.numbers, again.tables) == (report.numbers, report.tables)
    with pytest.raises(UsageError, match="depth"):
        check_arguments(vanishing_gradients, {"depth": 0})
