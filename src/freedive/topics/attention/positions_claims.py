"""What the book says about positional encodings, as checks (section 11.6.3)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.topics.attention.positions import (
    SinusoidalPositions,
    angles,
    rotation,
    sinusoids,
    waves,
)

Evidence = Iterator[tuple[Any, ...]]


class Printed(nn.Module):
    """The book's encoding: a plain attribute, sines and cosines written into every other column."""

    def __init__(self, num_hiddens: int, max_len: int = 1000):
        super().__init__()
        columns = torch.arange(0, num_hiddens, 2, dtype=torch.float32)
        turned = torch.arange(max_len)[:, None] / torch.pow(10_000, columns / num_hiddens)
        self.P = torch.zeros(1, max_len, num_hiddens)
        self.P[:, :, 0::2], self.P[:, :, 1::2] = turned.sin(), turned.cos()

    def forward(self, X: Tensor) -> Tensor:
        """The rows added."""
        return X + self.P[:, : X.shape[1]]


@claim(
    "11.6.3.4",
    "p_{i+δ} is p_i rotated by δω_j in each pair of columns, the same rotation for every i",
    "002b C93",
)
def one_rotation() -> Evidence:
    """32 columns and positions below 1,000, in float64; then tables made in either precision."""
    table = waves(1000, 32)
    for delta in (0, 1, 2, 7, 50, 500, 999):
        moved = table[: 1000 - delta] @ rotation(delta, 32).T
        yield moved, table[delta:], 1e-12
    single, ours = Printed(32).P[0].double(), sinusoids(1000, 32).double()
    step = rotation(500, 32).T
    yield float((single[:500] @ step - single[500:]).abs().max()), (1e-6, 2e-4)
    yield float((ours[:500] @ step - ours[500:]).abs().max()), (0.0, 1e-6)


@claim(
    "11.6.3.3",
    "‖p_i‖² = d/2 everywhere, p_0 = (0, 1, 0, 1, …), and p_i·p_{i+δ} depends on δ alone",
    "002b C94",
)
def norms_and_products() -> Evidence:
    """Products are Σ_j cos δω_j, the largest at δ = 0, and the same either way."""
    table = waves(1000, 32)
    yield table.square().sum(dim=1), torch.full((1000,), 16.0), 1e-12
    yield table[0], [0.0, 1.0] * 16
    products = table @ table.T
    for delta in (0, 1, 10, 300):
        expected = angles(delta + 1, 32)[delta].cos().sum()
        yield products.diagonal(delta), expected.expand(1000 - delta), 1e-10
    yield products, products.T, 1e-10
    yield int(products[0].argmax()), 0
    yield float(products[0, 1:].max()) < 16.0, True


@claim(
    "11.6.3.3",
    "frequencies fall geometrically with the columns, from 1 towards 1/10,000, as the bits of a "
    "number change half as often from each to the next",
    "002b C95",
)
def frequencies() -> Evidence:
    """Read off the table: the angle between the first two rows; bits change n/2^b times."""
    table = waves(2, 32)
    omega = torch.atan2(table[1, 0::2], table[1, 1::2])
    yield omega[0], 1.0, 1e-12
    yield omega[1:] / omega[:-1], [10_000 ** (-2 / 32)] * 15, 1e-10
    yield omega[-1], 10_000 ** (-30 / 32), 1e-12
    bits = torch.arange(257)[:, None] >> torch.arange(3) & 1
    yield bits.diff(dim=0).abs().sum(dim=0), [256, 128, 64]
    counts = [
        int((waves(1000, 32)[:, column].diff().sign().diff() != 0).sum()) for column in (0, 8)
    ]
    yield counts[0] / counts[1], (9.0, 11.0)  # turning points, at ω = 1 and ω = 0.1


@erratum(
    "11.6.3",
    "the table is a buffer, which moves and is saved with the model; too long an input is told in "
    "one line; an odd width has a sine more than cosines",
    printed="a plain attribute stays behind; too long an input and an odd width end in errors of "
    "shapes",
    source=("002b E58", "002b C96"),
)
def a_table_that_moves() -> Evidence:
    """The printed class beside ours: saved, made double, with 7 columns, given 11 rows."""
    printed, ours = Printed(8, 10), SinusoidalPositions(8, 10)
    yield [len(layer.state_dict()) for layer in (printed, ours)], [0, 1]
    yield str(printed.double().P.dtype), "torch.float32"
    yield str(ours.double().P.dtype), "torch.float64"
    yield raised(lambda: Printed(7)), "RuntimeError"
    yield SinusoidalPositions(7, 10).P, waves(10, 7).float()
    yield raised(lambda: printed(torch.zeros(1, 11, 8))), "RuntimeError"
    yield raised(lambda: ours(torch.zeros(1, 11, 8))), UsageError.__name__
    yield printed(torch.zeros(1, 10, 8)).float(), ours.float()(torch.zeros(1, 10, 8)), 1e-6


def raised(action: Any) -> str:
    """The name of the error that an action ends with."""
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "none"
