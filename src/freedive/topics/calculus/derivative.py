"""Derivatives as limits, and the rules that make limits needless (section 2.4)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Scalar = Float[Tensor, "..."]
Curve = Callable[[Scalar], Scalar]


def difference_quotient(f: Curve, x: Scalar, h: Scalar) -> Scalar:
    """(f(x + h) − f(x)) / h: the slope between two points, off by about h f″(x) / 2."""
    return (f(x + h) - f(x)) / h


def central_quotient(f: Curve, x: Scalar, h: Scalar) -> Scalar:
    """(f(x + h) − f(x − h)) / 2h: off by about h² f‴(x) / 6 only."""
    return (f(x + h) - f(x - h)) / (2 * h)


def steps(largest: float, rows: int) -> Float[Tensor, " rows"]:
    """Steps that shrink tenfold: 0.1, 0.01, 0.001, …"""
    return largest / 10.0 ** torch.arange(rows, dtype=torch.float64)


class Tangent(NamedTuple):
    """The line y = f(x₀) + slope · (x − x₀), in the form slope · x + intercept."""

    slope: float
    intercept: float

    def __call__(self, x: Scalar) -> Scalar:
        """Its height at x."""
        return self.slope * x + self.intercept


def tangent_line(f: Curve, x: float, h: float = 1e-5) -> Tangent:
    """The line that touches f at x, its slope from the central quotient."""
    at = torch.tensor(x, dtype=torch.float64)
    slope = float(central_quotient(f, at, torch.tensor(h, dtype=torch.float64)))
    return Tangent(slope, float(f(at)) - slope * x)


# The rules: functions carry their derivatives, and what is built from them carries its own.


class Smooth(NamedTuple):
    """A function f of one number together with its derivative f′."""

    f: Curve
    slope: Curve


def constant(c: float) -> Smooth:
    """c′ = 0."""
    return Smooth(lambda x: torch.full_like(x, c), lambda x: torch.zeros_like(x))


def power(n: float) -> Smooth:
    """(xⁿ)′ = n xⁿ⁻¹."""
    return Smooth(lambda x: x**n, lambda x: n * x ** (n - 1))


def exponential() -> Smooth:
    """(eˣ)′ = eˣ."""
    return Smooth(torch.exp, torch.exp)


def logarithm() -> Smooth:
    """(ln x)′ = 1 / x."""
    return Smooth(torch.log, lambda x: 1 / x)


def multiple(c: float, u: Smooth) -> Smooth:
    """(c u)′ = c u′."""
    return Smooth(lambda x: c * u.f(x), lambda x: c * u.slope(x))


def added(u: Smooth, v: Smooth) -> Smooth:
    """(u + v)′ = u′ + v′."""
    return Smooth(lambda x: u.f(x) + v.f(x), lambda x: u.slope(x) + v.slope(x))


def product(u: Smooth, v: Smooth) -> Smooth:
    """(u v)′ = u v′ + v u′."""
    return Smooth(lambda x: u.f(x) * v.f(x), lambda x: u.f(x) * v.slope(x) + v.f(x) * u.slope(x))


def quotient(u: Smooth, v: Smooth) -> Smooth:
    """(u / v)′ = (v u′ − u v′) / v²."""
    return Smooth(
        lambda x: u.f(x) / v.f(x),
        lambda x: (v.f(x) * u.slope(x) - u.f(x) * v.slope(x)) / v.f(x) ** 2,
    )


def composed(u: Smooth, v: Smooth) -> Smooth:
    """The chain rule: u(v(x))′ = u′(v(x)) v′(x)."""
    return Smooth(lambda x: u.f(v.f(x)), lambda x: u.slope(v.f(x)) * v.slope(x))


# Many inputs: one quotient for each entry.


def numerical_jacobian(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "*inputs"], h: float = 1e-5
) -> Float[Tensor, "..."]:
    """∂fᵢ/∂xⱼ by central quotients, of shape outputs × inputs.

    The book writes gradients of vectors the other way round, inputs × outputs: see
    `denominator_layout`.
    """
    x = x.double()
    one_at_a_time = h * torch.eye(x.numel(), dtype=x.dtype).reshape(x.numel(), *x.shape)
    columns = [(f(x + step) - f(x - step)) / (2 * h) for step in one_at_a_time]
    shape = (*f(x).shape, *x.shape)
    return torch.stack(columns, dim=-1).reshape(shape) if columns else x.new_zeros(shape)


def numerical_gradient(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "*inputs"], h: float = 1e-5
) -> Float[Tensor, "*inputs"]:
    """∇f of a function with one number as its value, of the shape of x."""
    return numerical_jacobian(lambda at: f(at).reshape(()), x, h)


def denominator_layout(jacobian: Float[Tensor, "outputs inputs"]) -> Tensor:
    """The book's ∇ₓ f: a column for each output, so that ∇ₓ Ax is Aᵀ and ∇ₓ xᵀA is A."""
    return jacobian.T
