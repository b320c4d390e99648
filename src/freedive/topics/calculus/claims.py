"""What the book says about derivatives and automatic differentiation (sections 2.4 and 2.5)."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.calculus import derivative as d
from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable
from freedive.topics.calculus.labs import doubled_to_a_thousand

Evidence = Iterator[tuple[Any, ...]]


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers in double precision, the same each time."""
    return torch.randn(shape, generator=generator(0, stream), dtype=torch.float64)


def parabola(x: Tensor) -> Tensor:
    """The book's 3x² − 4x."""
    return 3 * x**2 - 4 * x


@claim(
    "2.4.1",
    "the difference quotient of 3x² − 4x at 1 is 2 + 3h, and goes to 2",
    ("002a C8", "000 C1"),
)
def difference_quotients() -> Evidence:
    """2.3, 2.03, 2.003 and on; the limit by its rules."""
    h, one = d.steps(0.1, 6), torch.ones((), dtype=torch.float64)
    yield d.difference_quotient(parabola, one, h)[:3], [2.3, 2.03, 2.003], 1e-12
    yield d.difference_quotient(parabola, one, h), 2 + 3 * h, 1e-9
    built = d.added(d.multiple(3.0, d.power(2)), d.multiple(-4.0, d.power(1)))
    yield float(built.slope(one)), 2.0, 1e-12


@claim("2.4.2", "the rules for powers, exp, ln, multiples, sums, products, quotients", "002a C9")
def rules() -> Evidence:
    """Each rule's derivative beside the central quotient of its function, on fifty points."""
    x = torch.linspace(0.5, 2.0, 50, dtype=torch.float64)
    u, v = d.power(2.5), d.added(d.exponential(), d.logarithm())
    composites = (d.multiple(-3.0, u), v, d.product(u, v), d.quotient(u, v), d.composed(v, u))
    for rule in (d.constant(4.0), u, d.exponential(), d.logarithm(), *composites):
        yield rule.slope(x), d.central_quotient(rule.f, x, torch.full_like(x, 1e-5)), 1e-5


@claim("2.4.3", "the gradient of xᵀAx is (A + Aᵀ)x, of ‖x‖² it is 2x", ("002a C10", "002a C11"))
def quadratic_gradients() -> Evidence:
    """Central quotients, and the engine, for a matrix that is not symmetric."""
    A, x = normal(4, 4), normal(4, stream=1)
    yield d.numerical_gradient(lambda x: x @ A @ x, x), (A + A.T) @ x, 1e-8
    yield gradient_of(lambda x: x @ A @ x, x), (A + A.T) @ x, 1e-12
    yield d.numerical_gradient(lambda x: x @ x, x), 2 * x, 1e-8
    yield gradient_of(lambda x: x @ x, x), 2 * x, 1e-12


@claim("2.4.3", "the gradient of the squared Frobenius norm of X is 2X", "002a C12")
def frobenius_gradient() -> Evidence:
    """For a matrix that is not square."""
    X = normal(3, 5)
    yield d.numerical_gradient(lambda X: (X**2).sum(), X), 2 * X, 1e-8
    yield gradient_of(lambda X: ops.sum(X * X), X), 2 * X, 1e-12


@claim("2.4.3", "∇ₓ Ax = Aᵀ and ∇ₓ xᵀA = A, with a column an output", ("002a C13", "002a C14"))
def linear_gradients() -> Evidence:
    """A Jacobian has a row an output: what the book calls the gradient is its transpose."""
    A, x, y = normal(3, 5), normal(5, stream=1), normal(3, stream=2)
    jacobian = d.numerical_jacobian(lambda x: A @ x, x)
    yield jacobian, A, 1e-8
    yield jacobian, torch.autograd.functional.jacobian(lambda x: A @ x, x), 1e-8
    yield d.denominator_layout(jacobian), A.T, 1e-8
    yield d.denominator_layout(d.numerical_jacobian(lambda y: y @ A, y)), A, 1e-8


@claim("2.4.5", "the tangent of x³ − 1/x at 1 is 4x − 4", "001_003_004 C26")
def tangent() -> Evidence:
    """Slope and intercept."""
    line = d.tangent_line(lambda x: x**3 - 1 / x, 1.0)
    yield line.slope, 4.0, 1e-8
    yield line.intercept, -4.0, 1e-8


@claim("2.4.5", "the gradient of ‖x‖ is x / ‖x‖; at 0 it is NaN as √Σx²", "001_003_004 C27")
def norm_gradient() -> Evidence:
    """The engine and torch; at 0, only torch's own norm knows to answer 0."""
    x, zero = normal(6), torch.zeros(6, dtype=torch.float64)

    def root(x: Variable) -> Variable:
        return ops.sum(x * x) ** 0.5

    yield gradient_of(root, x), x / x.norm(), 1e-12
    yield bool(gradient_of(root, zero).isnan().all()), True
    at = zero.clone().requires_grad_()
    yield bool(torch.autograd.grad((at * at).sum().sqrt(), at)[0].isnan().all()), True
    yield torch.autograd.grad(at.norm(), at)[0], zero


def gradient_of(f: Callable[[Variable], Variable], x: Tensor) -> Tensor:
    """The gradient of the sum of f(x), by the engine of this room."""
    at = Variable(x)
    ops.sum(f(at)).backward()
    assert at.gradient is not None
    return at.gradient


@claim("2.5.1", "y = 2xᵀx is 28 at 0, 1, 2, 3, its gradient 4x", ("002a C15", "000 C6"))
def first_gradient() -> Evidence:
    """No gradient before backward; after it 0, 4, 8, 12."""
    x = Variable(torch.arange(4.0))
    y = 2 * (x @ x)
    yield x.gradient is None, True
    y.backward()
    yield y.item(), 28.0
    yield x.gradient, [0.0, 4.0, 8.0, 12.0]


@claim("2.5.1", "gradients add up unless they are reset; a sum has gradient 1", "002a C16")
def accumulation() -> Evidence:
    """Twice the gradient after two calls; ones after a reset."""
    x = Variable(torch.arange(4.0))
    y = 2 * (x @ x)
    y.backward()
    y.backward()
    yield x.gradient, [0.0, 8.0, 16.0, 24.0]
    x.zero_grad()
    ops.sum(x).backward()
    yield x.gradient, [1.0, 1.0, 1.0, 1.0]


@claim(
    "2.5.2",
    "backward of a vector wants a gradient to start from; ones are the same as a sum",
    ("002a C17", "002a C18", "000 C7"),
)
def vectors() -> Evidence:
    """x·x at 0, 1, 2, 3: refused, then 2x from ones and from the sum, and x/2 from the mean."""
    x = Variable(torch.arange(4.0))
    try:
        (x * x).backward()
        refused = False
    except UsageError:
        refused = True
    yield refused, True
    (x * x).backward(torch.ones(4))
    yield x.gradient, [0.0, 2.0, 4.0, 6.0]
    yield gradient_of(lambda x: ops.sum(x * x), x.value), [0.0, 2.0, 4.0, 6.0]
    yield gradient_of(lambda x: ops.mean(x * x), x.value), [0.0, 0.5, 1.0, 1.5]


@erratum(
    "2.5.2",
    "y = x·x is a vector; only y.sum() is x₁² + … + xₙ²",
    printed="y = x·x is explained as the number x₁x₁ + … + xₙxₙ",
    source="002a E7",
)
def vector_and_sum() -> Evidence:
    """Their shapes; the first has a matrix of derivatives, with 2x on its diagonal."""
    x = normal(4)
    yield list((Variable(x) * Variable(x)).shape), [4]
    yield list(ops.sum(Variable(x) * Variable(x)).shape), []
    yield d.numerical_jacobian(lambda x: x * x, x), torch.diag(2 * x), 1e-8


@claim("2.5.3", "with u = x² detached, u·x has gradient u, not 3x²", ("002a C19", "000 C8"))
def detached() -> Evidence:
    """0, 1, 4, 9 against 0, 3, 12, 27; and y itself still has its gradient."""
    x = Variable(torch.arange(4.0))
    y = x * x
    ops.sum(y.detach() * x).backward()
    yield x.gradient, [0.0, 1.0, 4.0, 9.0]
    x.zero_grad()
    ops.sum(y).backward()
    yield x.gradient, 2 * x.value
    x.zero_grad()
    ops.sum(y * x).backward()
    yield x.gradient, [0.0, 3.0, 12.0, 27.0]


@claim(
    "2.5.4", "through loops and branches, d = f(a) still has gradient d / a", ("002a C20", "000 C9")
)
def control_flow() -> Evidence:
    """The book's draw, and some others of either sign."""
    for a, slope in ((0.0412216, 2**15), (0.3, 4096), (-0.3, 409_600), (700.0, 2)):
        x = Variable(torch.tensor(a, dtype=torch.float64))
        result = doubled_to_a_thousand(x)
        result.backward()
        assert x.gradient is not None
        yield x.gradient.item(), float(slope)
        yield result.item() / a, float(slope), 1e-9 * slope
    yield doubled_to_a_thousand(Variable(0.0412216)).item(), 1350.75, 0.01


@erratum(
    "2.5.4",
    "the gradient equals d / a up to rounding, and at 0 the loop never ends",
    printed="a.grad == d / a is True",
    source=("002a C21", "002a E10", "000 E6"),
)
def quotient_is_rounded() -> Evidence:
    """Single precision: exact for a > 0, off in the last place for about one in eight of a < 0."""
    a = normal(20_000).float()
    for sign, low, high in ((1, 1.0, 1.0), (-1, 0.8, 0.95)):
        part = a[a.sign() == sign]
        factor = 2.0 ** torch.ceil(torch.log2(1000 / part.abs())) * (1.0 if sign > 0 else 100.0)
        quotient = part * factor / part
        yield float((quotient == factor).double().mean()), (low, high)
        yield float((quotient / factor - 1).abs().max()), (0.0, 1.2e-7)
    first = part[quotient != factor][0]
    x = Variable(first)
    result = doubled_to_a_thousand(x)
    result.backward()
    assert x.gradient is not None
    yield bool(x.gradient == result.value / first), False
    yield 0.0 * 2.0**1000, 0.0


@claim("2.5.6", "the derivative of sin is cos", "001_003_004 C28")
def sine() -> Evidence:
    """By the engine, on two turns."""
    x = torch.linspace(-2 * math.pi, 2 * math.pi, 101, dtype=torch.float64)
    yield gradient_of(ops.sin, x), torch.cos(x), 1e-12
