"""Activations beside torch and finite differences; pieces of ReLU networks beside a fine grid."""

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import check_arguments
from freedive.topics.mlp.activations import ACTIVATIONS, best_fit, kinks, relu
from freedive.topics.mlp.activations_lab import activations

EDGES = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e4, -1e4, torch.inf, -torch.inf])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_values_are_torchs(name, dtype):
    function = ACTIVATIONS[name]
    x = torch.linspace(-8, 8, 321).to(dtype)
    expected = function.torchs(x)
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(function.value(x), expected, atol=tolerance, rtol=tolerance)
    assert function.value(x).dtype == dtype
    assert function.value(x[:0]).shape == (0,)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_finite_differences(name):
    function, h = ACTIVATIONS[name], 1e-6
    x = torch.linspace(-5, 5, 100, dtype=torch.float64)  # without 0
    expected = (function.value(x + h) - function.value(x - h)) / (2 * h)
    torch.testing.assert_close(function.slope(x), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("name", ["relu", "prelu", "sigmoid", "tanh"])
def test_nothing_overflows(name):
    function = ACTIVATIONS[name]
    torch.testing.assert_close(function.value(EDGES), function.torchs(EDGES))
    assert function.slope(EDGES).isfinite().all()


@pytest.mark.parametrize("units", [1, 2, 5])
def test_bends_are_where_the_slope_changes(units):
    chance = torch.Generator().manual_seed(units)
    w1, b1, w2 = torch.randn(3, units, generator=chance, dtype=torch.float64)
    for bend in kinks(w1, b1, w2):
        at = bend + torch.tensor([-1e-6, 0.0, 1e-6], dtype=torch.float64)
        y = relu(at[:, None] * w1 + b1) @ w2
        assert abs(float(y[2] - 2 * y[1] + y[0])) > 1e-9
    assert len(kinks(w1, b1, w2)) == units
    assert len(kinks(w1, b1, 0 * w2)) == 0


def test_the_best_fit_is_exact_where_the_function_is_among_them():
    x = torch.linspace(-1, 1, 50, dtype=torch.float64)
    inner = torch.tensor([[1.0, -1.0], [0.0, 0.5]], dtype=torch.float64)
    y = 2 * relu(x) - relu(0.5 - x) + 3
    torch.testing.assert_close(best_fit(x, y, inner, relu), y, atol=1e-10, rtol=0)


def test_the_lab_counts_pieces_and_is_the_same_each_time():
    report = activations(units=5, activation="tanh")
    assert report.numbers["pieces of the ReLU network"] <= 6
    errors = [v for k, v in report.numbers.items() if k.startswith("error")]
    assert errors == sorted(errors, reverse=True)
    again = activations(units=5, activation="tanh")
    assert (again.numbers, again.tables) == (report.numbers, report.tables)
    assert all(
        row["value off torch's"] < 1e-12 and row["slope off autograd's"] < 1e-12
        for row in report.tables["values and slopes"]
    )


def test_units_out_of_range_are_refused():
    with pytest.raises(UsageError, match="units"):
        check_arguments(activations, {"units": 0})
