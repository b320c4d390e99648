"""Experiments with gradients through time (section 9.7)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.topics.rnn import bptt_figures as figures
from freedive.topics.rnn.bptt import Partials, ScalarRNN, draw_gates, pieces, products
from freedive.topics.rnn.spectra import (
    norms_by_distance,
    power_norms,
    shear,
    spectral_radius,
    tanh_slopes,
    with_radius,
)

TEXT = "the time traveller for so it will be convenient to speak of him was expounding"
SEQUENCES = 64
REACHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # τ in the table
CHANCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # π in the table
RADIUS, MOST_RADII = Bounds(0.1, 5), 8
SMALL = {
    "λ = −1.5": torch.tensor([[-1.5]], dtype=torch.float64),
    "λ = 0.9 ± 0.9i": torch.tensor([[0.9, -0.9], [0.9, 0.9]], dtype=torch.float64),
    "λ = 0.5 twice, coupled by 100": shear(0.5, 100.0),
}
CUTTING = [
    f"All errors are root mean squares over {SEQUENCES} sequences, relative to that of the "
    "full gradients.",
    "Truncation is off by the terms that it leaves out, each time by the same.",
    "Random cuts are right on average. Each step back multiplies a part of the variance "
    "by c²/π: where π lies below c², it grows with the distance.",
    "A mean over the draws that is off by chance alone is off by about one standard error; "
    "where rare draws carry the variance, a few draws show less of it than there is.",
]
FADING = [
    "The largest |λ| decides: below 1 powers vanish, above 1 they explode, whatever the "
    "sign or the imaginary part of λ.",
    "For normal matrices, such as symmetric and orthogonal ones, ‖(Wᵀ)ᵏ‖ is ρᵏ from the "
    "start. Others begin with a larger norm, and may grow before they vanish.",
    "Behind tanh each step back also multiplies by 1 − h² ≤ 1: gradients vanish sooner, "
    "and explode later or not at all. The bands hold the middle half of the sequences.",
]
MatrixName = Literal["gaussian", "symmetric", "orthogonal"]
Row = dict[str, Any]


@lab("bptt", section="9.7.1")
def bptt(
    num_steps: Annotated[int, Bounds(2, 64, whole=True)] = 32,
    w_h: Annotated[float, Bounds(-3, 3)] = 1.0,
    tau: Annotated[int, Bounds(1, 64, whole=True)] = 8,
    pi: Annotated[float, Bounds(0.05, 1)] = 0.8,
    num_draws: Annotated[int, Bounds(100, 4000, whole=True)] = 1000,
    seed: Whole = 0,
) -> Report:
    """The gradient through time, whole, truncated and cut at random: bias against variance.

    Args:
        num_steps: T, the steps of a sequence.
        w_h: the recurrent weight.
        tau: τ, the terms that truncation keeps, and the length of a piece.
        pi: π, the probability that a random cut is not made.
        num_draws: random cuts of each sequence.
        seed: of sequences and cuts.
    """
    partials = drawn(num_steps, w_h, seed)
    truncated = truncation_table(partials, tau)
    randomised = randomised_table(partials, pi, num_draws, seed)
    gates = draw_gates(pi, (num_draws, num_steps), generator(seed, 2))
    one = Partials(*(part[typical(partials, tau)] for part in partials))
    at_tau = next(row for row in truncated if row["τ"] == min(tau, num_steps))
    at_pi = next(row for row in randomised if row["π"] == pi)
    return Report(
        numbers={
            "full gradient, root mean square": size(partials.full()),
            "mean of c²": float((partials.c**2).mean()),
            f"error, truncated after {tau}": at_tau["error"],
            f"error, in pieces of {tau}": at_tau["error, pieces"],
            f"standard deviation, π = {pi:g}": at_pi["standard deviation"],
        },
        tables={
            "truncated: all error is bias": truncated,
            "randomised: all error is variance": randomised,
        },
        figures={
            "strategies": figures.strategies_figure(TEXT[:num_steps], tau, pi, gates[0]),
            "tradeoff": figures.tradeoff_figure(by_distance(partials), truncated, randomised),
            "estimates": figures.estimates_figure(one, tau, pi, one.gated(gates)),
        },
        notes=list(CUTTING),
    )


def drawn(num_steps: int, w_h: float, seed: int) -> Partials:
    """Inputs of spread ½ and targets of spread 1, independent of each other."""
    chance, shape = generator(seed), (SEQUENCES, num_steps)
    x, y = (torch.randn(*shape, generator=chance, dtype=torch.float64) for _ in range(2))
    return ScalarRNN(w_h).partials(x / 2, y)


def size(numbers: Tensor) -> float:
    """The root mean square."""
    return float(numbers.square().mean().sqrt())


def typical(partials: Partials, tau: int) -> int:
    """The sequence whose error under truncation is nearest to the root mean square."""
    errors = partials.truncated(tau) - partials.full()
    return int((errors.abs() - size(errors)).abs().argmin())


def terms(weights: Tensor) -> float:
    """How many terms a step's sum has, on average over the steps: 1 for each that is kept."""
    return float(weights.sum(dim=-1).mean())


def truncation_table(partials: Partials, tau: int) -> list[Row]:
    """What is lost with all but the last τ terms, and with all before a piece of τ steps."""
    full, num_steps = partials.full(), partials.b.shape[-1]
    rows = []
    for reach in sorted({min(t, num_steps) for t in (*REACHES, tau)}):
        gates = pieces(num_steps, reach)
        rows.append(
            {
                "τ": reach,
                "terms kept": terms(products(torch.ones(num_steps)).triu(1 - reach)),
                "error": size(partials.truncated(reach) - full) / size(full),
                "terms kept, pieces": terms(products(gates)),
                "error, pieces": size(partials.gated(gates) - full) / size(full),
            }
        )
    return rows


def randomised_table(partials: Partials, pi: float, num_draws: int, seed: int) -> list[Row]:
    """The spread that random cuts bring, by its formula and by draws, and what their mean is."""
    full, shape = partials.full(), (num_draws, *partials.b.shape)
    rows = []
    for chance in sorted({*CHANCES, pi}):
        estimates = partials.gated(draw_gates(chance, shape, generator(seed, 1)))
        away = estimates.mean(dim=0) - full
        deviation = partials.variance(chance).sqrt()
        standard_error = (deviation / num_draws**0.5).clamp(min=1e-12)  # π = 1 has none
        rows.append(
            {
                "π": chance,
                "terms kept": terms(products(torch.full(shape[-1:], chance))),
                "standard deviation": size(deviation) / size(full),
                "of the draws": size(estimates.std(dim=0)) / size(full),
                "mean off by, in standard errors": size(away / standard_error),
            }
        )
    return rows


def by_distance(partials: Partials) -> Tensor:
    """The root mean square of c_{i+1} … c_t b_i for each distance t − i."""
    found = products(partials.c) * partials.b[..., None, :]
    diagonals = (found.diagonal(-k, dim1=-2, dim2=-1) for k in range(found.shape[-1]))
    return torch.tensor([size(diagonal) for diagonal in diagonals], dtype=torch.float64)


@lab("vanishing-rnn", section="9.7.2")
def vanishing_rnn(
    radii: tuple[float, ...] = (0.5, 0.9, 1.0, 1.1, 1.5, 2.0),
    matrix: MatrixName = "gaussian",
    num_hiddens: Annotated[int, Bounds(1, 256, whole=True)] = 32,
    num_steps: Annotated[int, Bounds(2, 150, whole=True)] = 100,
    input_scale: Annotated[float, Bounds(0, 10)] = 0.5,
    seed: Whole = 0,
) -> Report:
    """Powers of the recurrent matrix, and how far back a gradient reaches, by spectral radius.

    Args:
        radii: 1 to 8 numbers from 0.1 to 5: the largest |λ| of the matrix, in turn.
        matrix: what it is drawn as before it is scaled.
        num_hiddens: entries of the state.
        num_steps: T, steps of a sequence, and the highest power.
        input_scale: standard deviation of what is added to each entry of the state.
        seed: of matrix, inputs and gradients.
    """
    check_radii(radii)
    chance = generator(seed)
    W = with_radius(matrix_called(matrix, num_hiddens, chance), 1.0)
    shape = (num_steps, SEQUENCES, num_hiddens)
    x, g = (torch.randn(*s, generator=chance, dtype=torch.float64) for s in (shape, shape[1:]))
    x, g = input_scale * x, g / g.norm(dim=-1, keepdim=True)
    scaled = {radius: radius * W for radius in radii}
    powers = {radius: power_norms(W, num_steps) for radius, W in scaled.items()}
    linear = {r: norms_by_distance(W, torch.ones_like(x), g) for r, W in scaled.items()}
    tanh = {r: norms_by_distance(W, tanh_slopes(W, x), g) for r, W in scaled.items()}
    small = {name: power_norms(W, num_steps) for name, W in SMALL.items()}
    return Report(
        numbers={"norm over spectral radius": float(torch.linalg.matrix_norm(W, 2))},
        tables={
            f"{num_steps} steps, by spectral radius": [
                radius_row(radius, powers[radius], linear[radius], tanh[radius])
                for radius in powers
            ],
            "small matrices": [small_row(name, SMALL[name], small[name]) for name in small],
        },
        figures={
            "powers": figures.powers_figure(W, powers, small),
            "distance": figures.distance_figure(linear, tanh),
        },
        notes=list(FADING),
    )


def check_radii(radii: Sequence[float]) -> None:
    """Raise `UsageError` for none, too many, or one out of bounds."""
    if not 1 <= len(radii) <= MOST_RADII or any(radius not in RADIUS for radius in radii):
        given = ", ".join(f"{radius:g}" for radius in radii) or "none"
        raise UsageError(
            f"radii wants 1 to {MOST_RADII} numbers from {RADIUS.low:g} to {RADIUS.high:g}, "
            f"got {given}"
        )


def matrix_called(name: MatrixName, n: int, chance: torch.Generator) -> Tensor:
    """A matrix by its kind; only the Gaussian one is not normal."""
    A = torch.randn(n, n, generator=chance, dtype=torch.float64)
    if name == "orthogonal":
        return torch.linalg.qr(A).Q
    return A + A.mT if name == "symmetric" else A


def radius_row(radius: float, powers: Tensor, linear: Tensor, tanh: Tensor) -> Row:
    """What one spectral radius does: gradients are geometric means over the sequences."""
    steps = len(powers) - 1
    half = steps // 2
    return {
        "ρ": radius,
        "ρ^T": radius**steps,
        "norm of the power": float(powers[-1]),
        "growth a step, second half": float(powers[-1] / powers[half]) ** (1 / (steps - half)),
        "gradient, linear": float(linear[-1].log().mean().exp()),
        "gradient, tanh": float(tanh[-1].log().mean().exp()),
    }


def small_row(name: str, W: Tensor, powers: Tensor) -> Row:
    """A matrix of one or two rows: its ρ, and the norms of some powers."""
    last = len(powers) - 1
    chosen = {f"k = {k}": float(powers[min(k, last)]) for k in (1, 5, 20)}
    return {"matrix": name, "ρ": spectral_radius(W), **chosen, f"k = {last}": float(powers[-1])}
