"""Positions beside their formula in a loop, and what they promise: distances, norms, room."""

import inspect
import math
import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from freedive.core.errors import UsageError
from freedive.topics.attention.positions import (
    LearntPositions,
    RotaryPositions,
    SinusoidalPositions,
    angles,
    sinusoids,
)

SIZES = [1, 2, 3, 4, 7, 8]
ADDED = [SinusoidalPositions, LearntPositions]
EVERY = [*ADDED, RotaryPositions]
every_kind = pytest.mark.parametrize("kind", EVERY)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture
def double():
    """Everything is made in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("size", SIZES)
def test_r25_sinusoids_are_their_formula_at_any_width(size, double):
    table = sinusoids(30, size)
    assert table.shape == (30, size)
    assert table.dtype == torch.float64
    for i in range(30):
        for column in range(size):
            angle = i / 10_000 ** ((column - column % 2) / size)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert table[i, column].item() == pytest.approx(expected, abs=1e-12)


def test_r25_an_odd_width_is_the_formula_too():
    assert sinusoids(5, 1)[:, 0].tolist() == pytest.approx([math.sin(i) for i in range(5)])
    X = torch.zeros(2, 4, 5)
    assert_close(SinusoidalPositions(5, 9)(X), sinusoids(4, 5).expand(2, -1, -1))
    assert not torch.equal(sinusoids(9, 5), sinusoids(9, 6)[:, :5])  # its frequencies are its own


def test_a_late_position_is_as_exact_as_an_early_one():
    table, exact = sinusoids(100_000, 2), [math.sin(99_999.0), math.cos(99_999.0)]
    assert table.dtype == torch.float32
    assert table[-1].tolist() == pytest.approx(exact, abs=1e-7)
    rotary = RotaryPositions(2, 100_000)
    assert rotary(torch.tensor([[[1.0, 0.0]]]), 99_999)[0, 0].tolist() == pytest.approx(
        [exact[1], exact[0]], abs=1e-7
    )


def test_another_base_has_other_wavelengths():
    assert angles(3, 4, base=100.0).tolist() == [[0, 0], [1, 0.1], [2, 0.2]]
    assert_close(sinusoids(3, 4, 100.0)[1, 2:].tolist(), [math.sin(0.1), math.cos(0.1)])


@pytest.mark.parametrize("kind", ADDED)
@pytest.mark.parametrize("start", [0, 1, 6])
def test_rows_are_added_from_where_the_sequence_starts(kind, start):
    positions, X = kind(6, 10), normal(3, 4, 6).float()
    whole = positions(torch.zeros(3, 10, 6))
    assert torch.equal(positions(X, start), X + whole[:, start : start + 4])
    assert positions(X.half(), start).dtype == torch.float16
    assert positions(X[:, :0], start).shape == (3, 0, 6)
    assert positions(X[:0], start).shape == (0, 4, 6)
    assert positions(X[:, :1], 9).shape == (3, 1, 6)  # the last place


def test_learnt_rows_are_learnt():
    positions = LearntPositions(4, 5)
    positions(torch.zeros(3, 2, 4), 1).sum().backward()
    assert positions.weight.grad.tolist() == [[0] * 4, [3] * 4, [3] * 4, [0] * 4, [0] * 4]


@every_kind
def test_r17_tables_move_and_are_saved(kind):
    positions = nn.Sequential(kind(6, 8))
    X = torch.ones(2, 8, 6)
    state = positions.state_dict()
    assert len(state) == len(list(positions.buffers())) + len(list(positions.parameters())) >= 1
    assert all(len(table) == 8 for table in state.values())
    other = nn.Sequential(kind(6, 8))
    for table in other.state_dict().values():
        table.zero_()
    other.load_state_dict(state)
    assert torch.equal(other(X), positions(X))
    assert positions.double()(X.double()).dtype == torch.float64
    assert all(table.dtype == torch.float64 for table in positions.state_dict().values())
    assert positions.to("meta")(X.to("meta")).is_meta
    assert all(table.is_meta for table in positions.state_dict().values())


@every_kind
@pytest.mark.parametrize(("steps", "start"), [(9, 0), (1, 8), (5, 4)])
def test_too_long_a_sequence_gets_one_line_with_both_numbers(kind, steps, start):
    told = "a sequence of 9 tokens is longer than the 8 positions of this model"
    with pytest.raises(UsageError, match=re.escape(told)) as error:
        kind(6, 8)(torch.zeros(1, steps, 6), start)
    assert "pass max_len=9" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", SIZES)
def test_rotating_is_its_formula(size, double):
    X = normal(2, 5, size)
    found, half = RotaryPositions(size, 9)(X, 3), size // 2
    for n in range(2):
        for i in range(5):
            for j in range(half):
                angle = (i + 3) / 10_000 ** (j / half)
                turned = complex(*X[n, i, [j, j + half]]) * complex(
                    math.cos(angle), math.sin(angle)
                )
                assert found[n, i, j].item() == pytest.approx(turned.real, abs=1e-12)
                assert found[n, i, j + half].item() == pytest.approx(turned.imag, abs=1e-12)
    assert torch.equal(found[..., 2 * half :], X[..., 2 * half :])


@pytest.mark.parametrize("size", SIZES)
def test_rotated_products_depend_on_the_distance_only(size, double):
    rotary, q, k = RotaryPositions(size, 40), normal(size), normal(size)
    rows = [rotary(row.expand(1, 40, size))[0] for row in (q, k)]
    products = rows[0] @ rows[1].T
    for apart in range(-39, 40):
        diagonal = products.diagonal(apart)
        assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-10, rtol=1e-10)
    assert size == 1 or not torch.allclose(products[0], products[0, :1])


@pytest.mark.parametrize("size", SIZES)
def test_rotating_keeps_every_norm_and_leaves_the_first_row(size, double):
    rotary, X = RotaryPositions(size, 12), normal(2, 3, 12, size)
    found = rotary(X)
    assert found.shape == X.shape
    assert_close(found.norm(dim=-1), X.norm(dim=-1))
    assert_close(found[..., 0, :], X[..., 0, :])
    for start in range(12):
        assert_close(rotary(X[..., start:, :], start), found[..., start:, :])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_kind
def test_half_precision_stays_half_and_near(kind, dtype):
    positions, X = kind(6, 50), normal(2, 50, 6).float()
    expected = positions(X)
    for module in (positions, positions.to(dtype)):
        found = module(X.to(dtype))
        assert found.dtype == dtype
        assert_close(found.float(), expected.detach(), atol=0.05, rtol=0.02)


def test_a_strided_input_is_the_same():
    X = normal(6, 5, 2).float().transpose(0, 2)
    for kind in EVERY:
        positions = kind(6, 9)
        assert_close(positions(X, 2), positions(X.contiguous(), 2))


def test_rotation_has_the_gradient_of_a_rotation(double):
    rotary, X = RotaryPositions(5, 9), normal(1, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: inspect.unwrap(rotary)(given, 2), X)
