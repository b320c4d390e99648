"""Kernels, Nadaraya–Watson and a width that is learnt, beside loops and finite differences."""

import inspect
import math
import re

import pytest
import torch
from torch.testing import assert_close

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.attention.kernel_figures import hull
from freedive.topics.attention.kernel_lab import drawn, kernel_regression, total_variation
from freedive.topics.attention.kernels import (
    KERNELS,
    boxcar,
    constant,
    distances,
    epanechnikov,
    gaussian,
    nadaraya_watson,
    pooling_weights,
    triangular,
)
from freedive.topics.attention.parametric import KernelRegression, learn_width, leave_one_out

FORMULAS = {
    "gaussian": lambda u: math.exp(-u * u / 2),
    "boxcar": lambda u: 1.0 if u <= 1 else 0.0,
    "constant": lambda u: 1.0,
    "triangular": lambda u: max(0.0, 1 - u),
    "epanechnikov": lambda u: 0.75 * max(0.0, 1 - u * u),
}
HALVES = (torch.float16, torch.bfloat16)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def noisy_sine(m=40, seed=0):
    chance = generator(seed)
    keys = 5 * torch.rand(m, generator=chance, dtype=torch.float64)
    values = 2 * keys.sin() + keys
    return keys, values + torch.randn(m, generator=chance, dtype=torch.float64) / 2


def by_loops(queries, keys, values, formula, width):
    """The estimate and the weights one number at a time, in Python's own floats."""
    estimates, weights = [], []
    for q in queries.tolist():
        similar = [formula(math.dist(q, k) / width) for k in keys.tolist()]
        total = sum(similar)
        row = [s / total if total else 0.0 for s in similar]
        columns = zip(*values.tolist(), strict=True)
        estimates.append([sum(w * v for w, v in zip(row, c, strict=True)) for c in columns])
        weights.append(row)
    return tuple(torch.tensor(rows, dtype=torch.float64) for rows in (estimates, weights))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_pooling_is_a_loop_over_queries_and_keys(name, width):
    queries, keys, values = normal(11, 3), normal(7, 3), normal(7, 2)
    expected = by_loops(queries, keys, values, FORMULAS[name], width)
    found = nadaraya_watson(queries, keys, values, KERNELS[name], width)
    assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_numbers_are_vectors_of_one_number(name):
    queries, keys, values = normal(5), normal(6), normal(6)
    flat = nadaraya_watson(queries, keys, values, KERNELS[name], 0.7)
    columns = nadaraya_watson(queries[:, None], keys[:, None], values[:, None], KERNELS[name], 0.7)
    assert flat[0].shape == (5,)
    assert_close(flat[0], columns[0][:, 0])
    assert_close(flat[1], columns[1])


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_its_formula_on_both_sides_and_at_its_edge(name):
    u = torch.tensor([0.0, 0.25, 0.5, 1 - 2**-20, 1.0, 1 + 2**-20, 2.5, 1e15]).double()
    expected = torch.tensor([FORMULAS[name](x) for x in u.tolist()], dtype=torch.float64)
    for dtype in (torch.float64, torch.float32):
        found = KERNELS[name](u.to(dtype))
        assert found.dtype == dtype
        assert_close(found, expected.to(dtype), rtol=1e-6, atol=1e-7)
        assert_close(KERNELS[name](-u.to(dtype)), found)
    assert KERNELS[name](torch.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_has_no_nan_and_is_rounded_once(name, dtype):
    queries = torch.tensor([-60000.0, -300.0, -1.0, 0.0, 0.5, 1000.0, 60000.0]).to(dtype)
    keys, values = torch.linspace(-2, 2, 9).to(dtype), torch.linspace(-8, 8, 9).to(dtype)
    for width in (0.01, 1.0, 100.0):
        assert KERNELS[name](queries / width).isnan().sum() == 0
        estimate, weights = nadaraya_watson(queries, keys, values, KERNELS[name], width)
        assert estimate.dtype == weights.dtype == dtype
        double = (given.double() for given in (queries, keys, values))
        expected = nadaraya_watson(*double, KERNELS[name], width)
        assert_close((estimate.double(), weights.double()), expected, rtol=1e-2, atol=1e-3)
        assert estimate.isfinite().all()
    for tensor in (keys, values):
        tensor.requires_grad_()
    nadaraya_watson(queries, keys, values, KERNELS[name])[0].sum().backward()
    assert values.grad.isfinite().all()
    assert keys.grad is None or keys.grad.isfinite().all()


def test_a_gaussian_never_divides_zero_by_zero_far_away():
    keys, values = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([5.0, 6.0, 7.0])
    far = torch.tensor([-1e4, -200.0, 203.0, 1e4, 1e15])
    assert not gaussian(distances(far, keys)).any()  # the kernel itself has no more numbers
    estimate, weights = nadaraya_watson(far, keys, values)
    assert_close(estimate[:4], torch.tensor([5.0, 5.0, 7.0, 7.0]))
    assert_close(weights.sum(dim=1), torch.ones(5))
    assert estimate.isfinite().all()


def test_far_away_weights_are_as_exact_as_near():
    """Squares of 10⁴ in float32 are 8 apart: subtracted after rounding, they would say nothing."""
    query, keys = torch.tensor([10000.0]), torch.tensor([0.0, 2**-10])
    exact = torch.softmax(-((query.double() - keys.double())[None] ** 2) / 2, dim=1)
    assert_close(pooling_weights(distances(query, keys))[0].double(), exact[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["boxcar", "triangular", "epanechnikov"])
def test_a_query_without_a_key_gets_zeros_and_no_nan_in_gradients(name):
    queries, keys = torch.tensor([0.0, 50.0]), torch.tensor([0.2, -0.5, 0.9])
    values, width = torch.ones(3), torch.tensor(1.0)
    for tensor in (queries, keys, values, width):
        tensor.requires_grad_()
    estimate, weights = nadaraya_watson(queries, keys, values, KERNELS[name], width)
    assert_close(weights.sum(dim=1), torch.tensor([1.0, 0.0]))
    assert_close(estimate, torch.tensor([1.0, 0.0]))
    (estimate.sum() + weights[:, 0].sum()).backward()
    for tensor in (queries, keys, values, width):
        assert tensor.grad is None or tensor.grad.isfinite().all()


@pytest.mark.parametrize("name", KERNELS)
def test_no_queries_no_keys_and_one_key(name):
    kernel = KERNELS[name]
    estimate, weights = nadaraya_watson(torch.empty(0), torch.ones(3), torch.ones(3), kernel)
    assert (estimate.shape, weights.shape) == ((0,), (0, 3))
    estimate, weights = nadaraya_watson(torch.ones(2), torch.empty(0), torch.empty(0, 4), kernel)
    assert (estimate.shape, weights.shape) == ((2, 4), (2, 0))
    assert not estimate.any()
    estimate, weights = nadaraya_watson(
        torch.tensor([0.5]), torch.ones(1), torch.tensor([3.0]), kernel
    )
    assert (estimate.item(), weights.item()) == (3.0, 1.0)


@pytest.mark.parametrize("name", KERNELS)
def test_strided_inputs_are_the_same_and_stay_as_they_are(name):
    queries, keys, values = normal(4, 10).T[::2], normal(4, 7).T, normal(3, 7).T
    before = [given.clone() for given in (queries, keys, values)]
    assert not keys.is_contiguous()
    found = nadaraya_watson(queries, keys, values, KERNELS[name], 2.0)
    assert_close(found, nadaraya_watson(*before, KERNELS[name], 2.0))
    assert_close([queries, keys, values], before, rtol=0, atol=0)


def test_whole_numbers_and_mixed_types_become_floating():
    keys, values = torch.arange(3), torch.tensor([1, 2, 4])
    estimate, weights = nadaraya_watson(keys, keys, values, triangular)
    assert estimate.tolist() == [1.0, 2.0, 4.0]
    assert weights.dtype == torch.float32
    assert leave_one_out(keys, values, constant)[0].tolist() == [3.0, 2.5, 1.5]
    assert KernelRegression(keys, values)(keys).dtype == torch.float32
    mixed = nadaraya_watson(torch.ones(2).half(), torch.ones(3), torch.ones(3).double())
    assert mixed[0].dtype == torch.float64


def test_a_gaussian_is_torchs_attention_where_keys_have_one_length():
    queries, keys, values = normal(5, 4), normal(6, 4), normal(6, 2)
    keys = keys / keys.norm(dim=1, keepdim=True)
    expected = torch.nn.functional.scaled_dot_product_attention(
        queries, keys, values, scale=1 / 0.6**2
    )
    assert_close(nadaraya_watson(queries, keys, values, gaussian, 0.6)[0], expected)


@pytest.mark.parametrize("name", ["gaussian", "triangular", "epanechnikov"])
def test_gradients_are_finite_differences(name):
    inputs = [normal(3, 2), normal(4, 2), normal(4, 2), torch.tensor(2.5).double()]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(lambda *given: nadaraya_watson(
        *given[:3], KERNELS[name], given[3])[0], inputs)  # fmt: skip


def test_a_query_on_a_key_has_a_gradient():
    queries = torch.tensor([[1.0, 2.0]], requires_grad=True)
    keys = torch.tensor([[1.0, 2.0], [2.0, 2.0]])
    nadaraya_watson(queries, keys, torch.tensor([0.0, 1.0]))[0].sum().backward()
    w = 1 / (1 + math.exp(0.5))  # of the second key: its slope is w(1 − w), as of a sigmoid
    assert_close(queries.grad, torch.tensor([[w * (1 - w), 0.0]]))


REFUSED = {
    "width wants a number above 0, got 0": lambda: pooling_weights(torch.ones(1, 1), boxcar, 0.0),
    "width wants a number above 0, got nan": lambda: pooling_weights(
        torch.ones(1, 1), gaussian, math.nan
    ),
    "width wants a number above 0, got -2": lambda: pooling_weights(
        torch.ones(1, 1), gaussian, torch.tensor(-2.0)
    ),
    "width wants one number, got 2": lambda: pooling_weights(
        torch.ones(1, 1), gaussian, torch.ones(2)
    ),
    "got (2, 3) and (4, 2): reshape": lambda: inspect.unwrap(distances)(
        torch.ones(2, 3), torch.ones(4, 2)
    ),
    "got (2,) and (4, 1): reshape": lambda: inspect.unwrap(distances)(
        torch.ones(2), torch.ones(4, 1)
    ),
    "got (1, 2, 3) and (1, 2, 3)": lambda: inspect.unwrap(distances)(
        torch.ones(1, 2, 3), torch.ones(1, 2, 3)
    ),
    "a row for each of the 4 keys, (m,) or (m, v), got (3,)": lambda: inspect.unwrap(
        nadaraya_watson
    )(torch.ones(2), torch.ones(4), torch.ones(3)),
    "at least 2 keys, got 1: add data": lambda: leave_one_out(torch.ones(1), torch.ones(1)),
    "finite number above 0, got inf": lambda: KernelRegression(
        torch.ones(2), torch.ones(2), math.inf
    ),
    "wants at least 2 keys and a value for each, got 1 keys": lambda: KernelRegression(
        torch.ones(1), torch.ones(1)
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_pooled_gets_one_line(told):
    with pytest.raises(UsageError, match=re.escape(told)) as error:
        REFUSED[told]()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("size", [(), (2,)])
def test_leaving_one_out_is_pooling_without_it(name, size):
    keys, values = normal(8, *size), normal(8, *size)
    estimates, weights = leave_one_out(keys, values, KERNELS[name], 0.8)
    assert not weights.diagonal().any()
    for i in range(8):
        rest = torch.arange(8) != i
        estimate, weight = nadaraya_watson(
            keys[i : i + 1], keys[rest], values[rest], KERNELS[name], 0.8
        )
        assert_close(estimates[i], estimate[0])
        assert_close(weights[i, rest], weight[0])


@pytest.mark.parametrize("criterion", ["leave-one-out", "training"])
def test_the_widths_gradient_is_a_finite_difference(criterion):
    keys, values = noisy_sine()
    for width in (0.05, 0.3, 1.0, 7.0):
        model, step = KernelRegression(keys, values, width), 1e-5
        model.loss(criterion).backward()
        above, below = (
            KernelRegression(keys, values, width * math.exp(side * step)).loss(criterion).item()
            for side in (1, -1)
        )
        expected = (above - below) / (2 * step)
        assert model.log_width.grad.item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("first", [0.1, 1.0])
def test_the_learnt_width_is_the_best_of_a_grid(first):
    keys, values = noisy_sine()
    model = KernelRegression(keys, values, first)
    learnt = learn_width(model, 200)
    grid = torch.logspace(-1, 0, 100).tolist()
    errors = [
        float((leave_one_out(keys, values, gaussian, width)[0] - values).square().mean())
        for width in grid
    ]
    assert learnt.losses[-1] <= min(errors) + 1e-6
    assert learnt.widths[-1] == pytest.approx(grid[errors.index(min(errors))], rel=0.03)
    assert (len(learnt.widths), learnt.widths[0]) == (201, pytest.approx(first))
    assert model.width.item() == learnt.widths[-1]


def test_with_each_point_among_its_own_keys_the_width_collapses():
    keys, values = noisy_sine()
    learnt = learn_width(KernelRegression(keys, values, 1.0), 150, criterion="training")
    assert learnt.widths[-1] < 0.02
    assert learnt.losses[-1] < 0.1 * learnt.losses[0]
    left_out = KernelRegression(keys, values, learnt.widths[-1]).loss()
    assert left_out > 1.3 * KernelRegression(keys, values, 0.3).loss()


def test_the_width_is_the_one_parameter_and_all_is_saved():
    keys, values = noisy_sine(6)
    model, other = KernelRegression(keys, values, 0.5), KernelRegression(0 * keys, 0 * values)
    assert [name for name, _ in model.named_parameters()] == ["log_width"]
    other.load_state_dict(model.state_dict())
    assert_close(other(keys), model(keys))
    assert_close(model(keys), nadaraya_watson(keys, keys, values, gaussian, 0.5)[0])
    keys.zero_()  # the model keeps its own
    assert_close(other(model.keys), model(model.keys))


@pytest.mark.parametrize("dtype", HALVES)
def test_a_width_is_learnt_from_half_precision(dtype):
    keys, values = (given.to(dtype) for given in noisy_sine())
    learnt = learn_width(KernelRegression(keys, values, 1.0), 100)
    exact = learn_width(KernelRegression(keys.double(), values.double(), 1.0), 100)
    assert learnt.widths[-1] == pytest.approx(exact.widths[-1], rel=0.1)


def test_two_points_alike_are_learnt_from_without_nan():
    model = KernelRegression(torch.ones(3), torch.tensor([1.0, 2.0, 3.0]))
    learnt = learn_width(model, 5)
    assert learnt.widths == [1.0] * 6  # every other point is as near as any
    assert all(map(math.isfinite, learnt.losses))


def test_no_point_lies_outside_the_hull_and_no_corner_inside():
    points = normal(30, 2)
    corners = hull(points)
    sides = corners.roll(-1, 0) - corners
    away = points[:, None] - corners
    assert (sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0]).min() > -1e-12  # to the left
    angles = torch.linspace(0, 2 * torch.pi, 20_000, dtype=torch.float64)
    farthest = (points @ torch.stack([angles.cos(), angles.sin()])).argmax(dim=0).unique()
    assert {*map(tuple, corners.tolist())} == {*map(tuple, points[farthest].tolist())}
    assert hull(points[:1]).tolist() == points[:1].tolist()


def test_the_lab_says_what_the_functions_say():
    report = kernel_regression("boxcar", 0.3, (0.1, 2.0), 0.0, 9, 1, seed=4)
    chance = generator(4)
    keys = (5 * torch.rand(9, generator=chance, dtype=torch.float64)).sort().values
    values, queries = 2 * keys.sin() + keys, torch.linspace(0, 5, 101, dtype=torch.float64)
    for title, rows, name, kernel, width in (
        ("kernels at σ = 0.3", 5, "epanechnikov", epanechnikov, 0.3),
        ("kernels at σ = 0.3", 5, "constant", constant, 0.3),
        ("the boxcar kernel by width", 2, "σ = 0.1", boxcar, 0.1),
        ("the boxcar kernel by width", 2, "σ = 2", boxcar, 2.0),
    ):
        table = report.tables[title]
        (found,) = (row for row in table if name in row.values())
        estimate, weights = nadaraya_watson(queries, keys, values, kernel, width)
        met = weights.sum(dim=1) > 0.5
        error = (estimate - 2 * queries.sin() - queries)[met].square().mean()
        assert len(table) == rows
        assert found["error"] == pytest.approx(float(error))
        assert found["queries without a key"] == int((~met).sum())
        assert found["total variation"] == pytest.approx(total_variation(estimate[met]))
    left_out = KernelRegression(keys, values, 0.3).loss().item()
    assert report.numbers["error of the points left out, first"] == pytest.approx(left_out)


def test_the_lab_at_its_edges(tmp_path):
    report = kernel_regression("triangular", 0.01, (0.01,), 100.0, 2, 1, seed=1)
    numbers = report.numbers
    assert numbers["exact match, off the key's own value by"] == 0
    assert numbers["uniform, off the mean by"] < 1e-12
    assert all(map(math.isfinite, numbers.values()))
    assert len(report.figures) == 6
    report.figures = {name: report.figures[name] for name in ("widths", "learning")}
    assert len(report.save(tmp_path)) == 3


def test_a_scene_is_drawn_from_its_seed():
    first, again, other = drawn(5, 0.5, 1), drawn(5, 0.5, 1), drawn(5, 0.5, 2)
    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.keys, other.keys)
    quiet = drawn(5, 0.0, 1)
    assert_close(quiet.values, 2 * quiet.keys.sin() + quiet.keys)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kernel", "epanechikov"], "epanechikov"),
        (["--width", "0"], "width wants a number from 0.01 to 100, got 0.0"),
        (["--width", "nan"], "width wants a number from 0.01 to 100, got nan"),
        (["--widths"], "widths wants 1 to 6 numbers from 0.01 to 100, got none"),
        (["--widths", "1", "-1"], "numbers from 0.01 to 100, got 1, -1"),
        (["--widths", *"1234567"], "1 to 6 numbers from 0.01 to 100, got 1, 2, 3"),
        (["--widths", "inf"], "numbers from 0.01 to 100, got inf"),
        (["--noise", "-1"], "noise wants a number from 0 to 100, got -1.0"),
        (["--num-points", "1"], "num_points wants a whole number from 2 to 200, got 1"),
        (["--steps", "0"], "steps wants a whole number from 1 to 300, got 0"),
        (["--seed", "-1"], "seed wants a whole number of at least 0, got -1"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "kernel-regression", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())
