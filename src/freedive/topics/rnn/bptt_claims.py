"""What the book says about backpropagation through time, as checks (section 9.7)."""

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from freedive.catalog import claim, erratum
from freedive.topics.calculus.claims import Evidence, normal
from freedive.topics.rnn.bptt import (
    LinearRNN,
    Partials,
    ScalarRNN,
    by_autograd,
    closed_form,
    draw_gates,
    linear_by_autograd,
    products,
    recursion,
)
from freedive.topics.rnn.spectra import power_norms, shear, spectral_radius, with_radius


def sequences(*shape: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of the scalar RNN; the last axis is the steps."""
    return normal(*shape) / 2, normal(*shape, stream=1)


def linear(steps: int = 6, outputs: int = 2) -> tuple[LinearRNN, Tensor, Tensor]:
    """A linear RNN of 3 inputs and 4 hidden units, a sequence, and its targets."""
    shapes = ((4, 3), (4, 4), (outputs, 4))
    rnn = LinearRNN(*(normal(*shape, stream=i) / 2 for i, shape in enumerate(shapes)))
    return rnn, normal(steps, 3, stream=3), normal(steps, outputs, stream=4)


@claim(
    "9.7.1",
    "a_t = b_t + c_t a_{t−1} from a₀ = 0 is b_t + Σ (c_{i+1} … c_t) b_i over i < t",
    ("000 C63", "002b C49"),
)
def closed_recursion() -> Evidence:
    """Any b and c, for 1, 2 and 12 steps; the sum also written out."""
    for steps in (1, 2, 12):
        b, c = normal(steps), normal(steps, stream=1)
        sums = [sum(c[i + 1 : t + 1].prod() * b[i] for i in range(t + 1)) for t in range(steps)]
        yield closed_form(b, c), recursion(b, c), 1e-12
        yield closed_form(b, c), [float(a) for a in sums], 1e-12


@claim(
    "9.7.1",
    "the closed form of ∂h_t/∂w_h, and ∂L/∂w_h from it, are what autograd gives",
    ("000 C64", "002b C49"),
)
def closed_gradient() -> Evidence:
    """For every t of 12, at weights that keep, turn and amplify the state."""
    x, y = sequences(12)
    for w_h in (0.7, -0.9, 1.5):
        rnn = ScalarRNN(w_h, w_o=1.3)
        b, c, _ = partials = rnn.partials(x, y)
        at = torch.tensor(w_h, dtype=torch.float64)
        yield closed_form(b, c), jacobian(lambda w: ScalarRNN(w).states(x), at), 1e-12
        yield partials.full(), by_autograd(rnn, x, y), 1e-13


@claim(
    "9.7.1",
    "the products of c vanish geometrically where |c| < 1 and explode where |c| > 1",
    "002b C51",
)
def geometric_products() -> Evidence:
    """Constant c; then c of either sign between 0.5 and 0.9, and between 1.1 and 1.5."""
    k = torch.arange(41, dtype=torch.float64)
    for c in (0.9, -0.9, 1.1, -1.1):
        yield products(torch.full_like(k, c))[:, 0], c**k, 1e-12 * max(1.0, abs(c) ** 40)
    spread, sign = torch.sigmoid(normal(41)), normal(41, stream=1).sign()
    for low, high in ((0.5, 0.9), (1.1, 1.5)):
        found = products(sign * (low + (high - low) * spread))[:, 0].abs()
        yield bool(((low**k <= found * (1 + 1e-12)) & (found <= high**k * (1 + 1e-12))).all()), True


@claim(
    "9.7.1.2",
    "truncation after τ steps is what detaching h_{t−τ} gives; at τ = T it is the full gradient",
    ("000 C65", "002b C50"),
)
def detached_states() -> Evidence:
    """Every τ for 9 steps, and one beyond them."""
    x, y = sequences(3, 9)
    rnn = ScalarRNN(1.2)
    partials = rnn.partials(x, y)
    for tau in range(1, 11):
        yield partials.truncated(tau), by_autograd(rnn, x, y, tau), 1e-13
    for tau in (9, 10):
        yield partials.truncated(tau), partials.full(), 1e-13


@claim("9.7.1.2", "what truncation leaves out falls with τ, to 0 at τ = T", "000 C65")
def falling_error() -> Evidence:
    """The mean over 1000 sequences of 12 steps, at w_h = 0.9; b₁ is 0, as h₀ is."""
    partials = ScalarRNN(0.9).partials(*sequences(1000, 12))
    full = partials.full()
    errors = [float((partials.truncated(tau) - full).abs().mean()) for tau in range(1, 13)]
    first, last = errors[:10], errors[10:]
    yield all(after < before for before, after in pairwise(first)), True
    yield last, [0.0, 0.0], 1e-13
    yield first[-1] > 1e-6, True


def every_way(partials: Partials, pi: float) -> tuple[Tensor, Tensor]:
    """All ways to cut at random, 2 for each step but the first: probabilities and estimates."""
    steps = partials.b.shape[-1]
    opened = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * (steps - 1))
    chances = (opened * pi + (1 - opened) * (1 - pi)).prod(dim=-1)
    return chances, partials.gated(torch.constant_pad_nd(opened / pi, (1, 0), 1.0))


def bernstein(variance: float, largest: float, n: int, chance: float) -> float:
    """How far a mean of n draws may stray, where it strays farther with at most that chance.

    P(|mean − μ| ≥ t) ≤ 2 exp(−n t² / (2σ² + ⅔ M t)) where no draw is farther than M from μ.
    """
    log = math.log(2 / chance)
    jump = log * largest / 3
    return (jump + math.sqrt(jump**2 + 2 * n * variance * log)) / n


@claim(
    "9.7.1.3",
    "cut at random with ξ_t in {0, 1/π_t}, the gradient is right on average, with more variance "
    "the smaller π",
    ("000 C66", "000 E32", "002b C51"),
)
def unbiased() -> Evidence:
    """All 2048 ways to cut 12 steps, weighted; 100,000 draws, which fail once in a million."""
    partials, n, deviations = ScalarRNN(0.9).partials(*sequences(12)), 100_000, [0.0]
    full = float(partials.full())
    for pi in (0.9, 0.6, 0.3):
        chances, estimates = every_way(partials, pi)
        variance = float(chances @ (estimates - full) ** 2)
        yield float(chances @ estimates), full, 1e-12
        yield float(partials.variance(pi)), variance, 1e-9 * variance
        draws = partials.gated(draw_gates(pi, (n, 12), torch.default_generator))
        largest = float((estimates - full).abs().max())
        yield float(draws.mean()), full, bernstein(variance, largest, n, chance=1e-6)
        deviations.append(math.sqrt(variance))
    yield deviations == sorted(deviations), True  # π = 1 has none


@claim(
    "9.7.2",
    "∂L/∂h_t by recursion and by its closed sum, and the gradients of W_qh, W_hx and W_hh",
    ("000 C67", "001_003_004 C72"),
)
def linear_gradients() -> Evidence:
    """What autograd gives, for 1 step and for 6."""
    for steps in (1, 6):
        rnn, x, y = linear(steps)
        ours = rnn.backward(x, y)
        for mine, theirs in zip(ours, linear_by_autograd(rnn, x, y), strict=True):
            yield mine, theirs, 1e-12
        yield rnn.by_sum(ours.o), ours.h, 1e-12


@erratum(
    "9.7.2",
    "the recursion starts from ∂L/∂h_T = W_qhᵀ ∂L/∂o_T: no later state takes anything from h_T",
    printed="only the recursion for t < T",
    source="000 E31",
)
def last_state() -> Evidence:
    """By autograd; without it the recursion has no first value."""
    rnn, x, y = linear()
    found = linear_by_autograd(rnn, x, y)
    yield found.h[-1], rnn.W_qh.mT @ found.o[-1], 1e-12


@erratum(
    "9.7.2",
    "∂L/∂h_t = W_qhᵀ ∂L/∂o_t + W_hhᵀ W_qhᵀ ∂L/∂o_{t+1} + (W_hhᵀ)² ∂L/∂h_{t+2}",
    printed="(W_hhᵀ)² ∂L/∂o_{t+2} + W_hhᵀ W_qhᵀ ∂L/∂o_{t+1}",
    source="001_003_004 E27",
)
def two_steps_written_out() -> Evidence:
    """As many outputs as hidden units, so that the printed line can be computed at all."""
    rnn, x, y = linear(outputs=4)
    found, back, out = linear_by_autograd(rnn, x, y), rnn.W_hh.mT, rnn.W_qh.mT
    for t in range(4):
        later = back @ out @ found.o[t + 1]
        yield out @ found.o[t] + later + back @ back @ found.h[t + 2], found.h[t], 1e-12
        printed = back @ back @ found.o[t + 2] + later
        yield float((printed - found.h[t]).abs().max()) > 0.01 * float(found.h[t].abs().max()), True


@erratum(
    "9.7.2",
    "the gradient of W_qh is Σ ∂L/∂o_t h_tᵀ",
    printed="under the heading of W_qh stand the gradients of W_hx and W_hh",
    source="001_003_004 E28",
)
def output_weights() -> Evidence:
    """The sum written out."""
    rnn, x, y = linear()
    found, h = linear_by_autograd(rnn, x, y), rnn.states(x)
    total = torch.stack([torch.outer(o, state) for o, state in zip(found.o, h, strict=True)]).sum(0)
    yield total, found.W_qh, 1e-12


@erratum(
    "9.7.2",
    "powers of W_hhᵀ vanish where every |λ| < 1 and explode where one |λ| > 1",
    printed="eigenvalues smaller than 1 vanish, and those larger than 1 diverge",
    source=("000 C68", "000 E29"),
)
def absolute_eigenvalues() -> Evidence:
    """λ = −1.5, below 1, explodes, and so does 0.9 ± 0.9i; then matrices scaled to a radius."""
    yield float(power_norms(torch.tensor([[-1.5]]).double(), 20)[-1]), 1.5**20, 1e-9
    spiral = torch.tensor([[0.9, -0.9], [0.9, 0.9]], dtype=torch.float64)
    yield spectral_radius(spiral), 0.9 * math.sqrt(2), 1e-12
    yield float(power_norms(spiral, 40)[-1]), (0.9 * math.sqrt(2)) ** 40, 1e-6
    A = normal(16, 16)
    for radius in (0.9, 1.0, 1.1):
        symmetric = power_norms(with_radius(A + A.mT, radius), 100)
        yield symmetric, radius ** torch.arange(101).double(), 1e-9 * max(1.0, radius**100)
        norms = power_norms(with_radius(A, radius), 1000)
        yield float(norms[-1] ** (1 / 1000)), radius, 0.01


@claim("9.7.2", "a matrix that is not normal can let gradients grow before they vanish", "000 C68")
def growing_first() -> Evidence:
    """λ = 0.5 twice, coupled by 100: norms of the powers 1, 5 and 20."""
    norms = power_norms(shear(0.5, 100.0), 20)
    k = torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)
    yield norms[[1, 5, 20]], 100 * k * 0.5 ** (k - 1), 0.01
    yield [float(norms[1]), float(norms[5])], [100.0, 31.25], 0.01
    yield float(norms[20]), 0.0038, 1e-4
