import math
from typing import get_args

import pytest
import torch

from freedive.topics.calculus import derivative as d
from freedive.topics.calculus.labs import FunctionName, derivative

x = torch.linspace(0.3, 3.0, 50, dtype=torch.float64)


def book(x):
    return 3 * x**2 - 4 * x


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def test_the_books_quotients_at_1_go_to_2():
    quotients = d.difference_quotient(book, number(1.0), d.steps(0.1, 5))
    assert torch.allclose(quotients, number([2.3, 2.03, 2.003, 2.0003, 2.00003]), atol=1e-9)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_steps_shrink_tenfold(rows):
    assert d.steps(0.5, rows).tolist() == pytest.approx([0.5, 0.05, 0.005][:rows])


def test_the_central_quotient_is_exact_for_a_parabola_and_second_order_else():
    assert float(d.central_quotient(book, number(1.0), number(0.1))) == pytest.approx(2, abs=1e-12)
    errors = (d.central_quotient(torch.exp, number(0.0), d.steps(0.1, 2)) - 1).tolist()
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)


def test_the_tangent_touches_and_stays_below_a_convex_curve():
    line = d.tangent_line(book, 1.0)
    assert (line.slope, line.intercept) == pytest.approx((2, -3), abs=1e-6)
    assert line(number(1.0)) == pytest.approx(book(1.0))
    assert (book(x) - line(x) >= -1e-9).all()


def test_the_tangent_of_x_cubed_minus_its_inverse_at_1():
    line = d.tangent_line(lambda x: x**3 - 1 / x, 1.0)
    assert (line.slope, line.intercept) == pytest.approx((4, -4), abs=1e-6)


u, v = d.power(3), d.added(d.exponential(), d.multiple(2.0, d.logarithm()))
RULES = {
    "constant": (d.constant(7.0), lambda x: 0 * x + 7),
    "power": (d.power(2.5), lambda x: x**2.5),
    "negative power": (d.power(-1), lambda x: 1 / x),
    "exponential": (d.exponential(), torch.exp),
    "logarithm": (d.logarithm(), torch.log),
    "multiple": (d.multiple(-3.0, u), lambda x: -3 * x**3),
    "sum": (v, lambda x: torch.exp(x) + 2 * torch.log(x)),
    "product": (d.product(u, v), lambda x: x**3 * (torch.exp(x) + 2 * torch.log(x))),
    "quotient": (d.quotient(v, u), lambda x: (torch.exp(x) + 2 * torch.log(x)) / x**3),
    "chain": (d.composed(d.exponential(), d.power(2)), lambda x: torch.exp(x**2)),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_give_what_autograd_gives(rule):
    built, written = RULES[rule]
    at = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(written(at).sum(), at)
    assert torch.allclose(built.f(x), written(x))
    assert torch.allclose(built.slope(x), expected)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_jacobian_of_a_matrix_is_the_matrix(rows):
    A = torch.arange(rows * 3.0).reshape(rows, 3).double()
    J = d.numerical_jacobian(lambda x: A @ x, torch.ones(3))
    assert torch.allclose(J, A, atol=1e-9)
    assert torch.equal(d.denominator_layout(J), J.T)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (4,), (2, 3)])
def test_the_gradient_has_the_shape_of_its_input(shape):
    X = torch.full(shape, 0.5, dtype=torch.float64)
    gradient = d.numerical_gradient(lambda X: (X**2).sum(), X)
    assert gradient.shape == X.shape
    assert torch.allclose(gradient, 2 * X, atol=1e-9)


def test_the_gradient_is_taken_in_double_precision():
    gradient = d.numerical_gradient(lambda X: (X**2).sum(), torch.ones(2))
    assert gradient.dtype == torch.float64
    assert gradient.tolist() == pytest.approx([2, 2], abs=1e-9)


def test_too_small_a_step_loses_all_digits():
    assert float(d.difference_quotient(book, number(1.0), number(1e-17))) == 0
    assert math.isclose(d.tangent_line(torch.sin, 0.0).slope, 1, abs_tol=1e-9)


@pytest.mark.parametrize("function", get_args(FunctionName))
@pytest.mark.parametrize("at", [-10.0, 0.0, 1.5])
def test_the_lab_comes_near_the_derivative_of_every_function(function, at):
    report = derivative(function, at)
    assert report.numbers["slope"] == pytest.approx(report.numbers["derivative"], abs=1e-6)
    assert report.numbers["least_error_central"] < 1e-6
    assert report.numbers["least_error_one-sided"] < 1e-3


def test_the_labs_table_is_the_books():
    (table,) = derivative(rows=3).tables.values()
    assert [row["h"] for row in table] == pytest.approx([0.1, 0.01, 0.001], rel=1e-12)
    assert [row["(f(x+h) − f(x)) / h"] for row in table] == pytest.approx([2.3, 2.03, 2.003])


def test_one_row_and_the_smallest_step_still_give_a_report(tmp_path):
    written = derivative(h=1e-6, rows=15).save(tmp_path)
    assert [path.name for path in written] == ["report.json", "tangent.svg"]
    assert len(derivative(rows=1).tables["3x² − 4x at 1"]) == 1
