"""Power laws, fitted and measured."""

import math

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.figures import figure_bytes
from freedive.core.hyperparameters import check_arguments
from freedive.data.time_machine import Tales
from freedive.topics.transformer import scaling_lab
from freedive.topics.transformer.gpt import GPT
from freedive.topics.transformer.power_law import PowerLaw, fit_floor, fit_line
from freedive.topics.transformer.scaling_figures import running_means
from freedive.topics.transformer.scaling_lab import (
    batches,
    loss_of,
    num_parameters,
    planned,
    rate,
    scaling,
    trained,
)

SIZES = [1e3, 3e3, 1e4, 3e4, 1e5, 1e6]
LAWS = [(0.076, 15.0), (0.5, 2.0), (1.7, 1e4), (-0.3, 0.1)]


def values(exponent, scale, floor=0.0, sizes=SIZES):
    return [floor + scale * x**-exponent for x in sizes]


@pytest.mark.parametrize(("exponent", "scale"), LAWS)
def test_an_exact_law_is_found_again(exponent, scale):
    found = fit_line(SIZES, values(exponent, scale))
    assert (found.exponent, found.scale) == pytest.approx((exponent, scale))
    assert found.floor == 0
    assert found.error < 1e-12
    assert found(5e6) == pytest.approx(scale * 5e6**-exponent)


@pytest.mark.parametrize("floor", [1e-3, 0.5, 1.69, 20.0])
@pytest.mark.parametrize(("exponent", "scale"), LAWS[:3])
def test_an_exact_law_with_a_floor_is_found_again(exponent, scale, floor):
    found = fit_floor(SIZES, values(exponent, scale, floor))
    assert found.error < 1e-6
    assert found.floor == pytest.approx(floor, rel=1e-3, abs=1e-3)
    assert (found.exponent, found.scale) == pytest.approx((exponent, scale), rel=1e-2)


@pytest.mark.parametrize(("exponent", "scale"), LAWS)
def test_without_a_floor_none_is_found(exponent, scale):
    found = fit_floor(SIZES, values(exponent, scale))
    assert found.floor == pytest.approx(0, abs=1e-6)
    assert found.exponent == pytest.approx(exponent, rel=1e-4)


def test_a_line_through_two_points_is_exact():
    found = fit_line([1.0, 4.0], [8.0, 4.0])  # halves where x is four times as much
    assert (found.exponent, found.scale) == pytest.approx((0.5, 8.0))


def test_equal_losses_have_exponent_0():
    for fit in (fit_line, fit_floor):
        found = fit([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
        assert found.exponent == pytest.approx(0, abs=1e-9)
        assert found(100.0) == pytest.approx(2)
        assert found.error < 1e-9


def test_the_line_is_torchs_least_squares():
    x, noise = torch.tensor(SIZES).double(), 0.05 * torch.randn(6).double()
    y = 3 * x**-0.2 * noise.exp()
    A = torch.stack([torch.ones(6).double(), x.log()], dim=1)
    solution = torch.linalg.lstsq(A, y.log()).solution
    found = fit_line(SIZES, y.tolist())
    assert [math.log(found.scale), -found.exponent] == pytest.approx(solution.tolist())
    rest = y.log() - A @ solution
    assert found.error == pytest.approx(float(rest.square().mean().sqrt()))


@pytest.mark.parametrize("seed", range(5))
def test_noise_moves_the_exponent_by_little(seed):
    chance = torch.Generator().manual_seed(seed)
    sizes = [10 ** (3 + i / 4) for i in range(20)]
    noise = (0.005 * torch.randn(20, generator=chance)).exp().tolist()
    noisy = [y * n for y, n in zip(values(0.4, 30.0, 1.5, sizes), noise, strict=True)]
    found = fit_floor(sizes, noisy)
    assert found.exponent == pytest.approx(0.4, abs=0.05)
    assert found.floor == pytest.approx(1.5, abs=0.05)
    assert found.error == pytest.approx(0.005, rel=0.5)
    assert found.error < fit_line(sizes, noisy).error


def test_no_floor_of_a_fine_grid_is_better():
    noisy = [3.1, 2.6, 2.35, 2.2, 2.12, 2.11]
    found = fit_floor(SIZES, noisy)
    for floor in torch.linspace(0, 2.1099, 500).tolist():
        rest = fit_line(SIZES, [y - floor for y in noisy])  # without its weights
        tried = PowerLaw(rest.exponent, rest.scale, floor)
        logs = [math.log(y / tried(x)) ** 2 for x, y in zip(SIZES, noisy, strict=True)]
        assert found.error <= math.sqrt(sum(logs) / 6) * 1.02


@pytest.mark.parametrize(
    ("x", "losses", "message"),
    [
        ([1.0, 2.0], [1.0], "each x wants a loss, got 2 and 1"),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "wants 3 different x at least, got 1"),
        ([], [], "wants 3 different x at least, got 0"),
        ([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], "finite numbers above 0, got 0"),
        ([1.0, 2.0, 3.0], [1.0, math.nan, 1.0], "finite numbers above 0, got nan"),
        ([1.0, 2.0, 3.0], [1.0, -1.0, 1.0], "finite numbers above 0, got -1"),
    ],
)
def test_what_has_no_law_is_refused(x, losses, message):
    with pytest.raises(UsageError, match=message):
        fit_floor(x, losses)


@pytest.mark.parametrize(("layers", "width"), [(1, 8), (2, 12), (3, 16)])
def test_parameters_are_those_of_the_formula(layers, width):
    model = GPT(28, 32, width, layers, 2)
    block = 12 * width**2 + 13 * width  # 4h² + 8h² weights, 4h + 5h biases, 2 · 2h of the norms
    assert num_parameters(model) == layers * block + 2 * width


@pytest.mark.parametrize("by", ["parameters", "data", "compute"])
@pytest.mark.parametrize("runs", [6, 9])
def test_plans(by, runs):
    widths, steps = zip(*planned(by, runs, tokens=2**18), strict=True)
    assert len(widths) == runs
    assert steps[-1] == 2**18 / 256
    assert list(steps) == sorted(steps)
    assert list(widths) == sorted(widths)
    assert len(set(widths)) == (1 if by == "data" else runs)
    assert len(set(steps)) == (1 if by == "parameters" else runs)
    if by == "data":
        assert steps[-1] / steps[0] == 8


def test_runs_read_the_same_windows_in_the_same_order_each_once():
    short, long = (list(batches(100, steps, seed=3)) for steps in (4, 24))
    for a, b in zip(short, long, strict=False):
        assert torch.equal(a, b)
    read = torch.cat(long)
    assert read[:100].sort().values.tolist() == list(range(100))
    assert not torch.equal(read[100:192], read[:92])
    assert not torch.equal(next(batches(100, 1, seed=4)), short[0])
    assert sorted(next(batches(3, 1, seed=0)).bincount().tolist()) == [2, 3, 3]


def test_the_rate_rises_and_falls_to_zero():
    rates = [rate(step / 1000) for step in range(1001)]
    assert 0 < rates[0] <= 0.1 < 0.95 < max(rates) <= 1
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == 0


def test_a_run_learns_and_is_judged_by_windows_that_it_has_not_read():
    train = torch.arange(33).repeat(64, 1) % 4
    run = trained(8, 20, train, held_out=(torch.arange(33).repeat(8, 1) + 1) % 4, vocab_size=5,
                  seed=0)  # fmt: skip
    assert run.losses[0] == pytest.approx(math.log(5), abs=0.1)
    assert run.losses[-1] < 1.3
    assert run.loss < 1.3
    other = trained(8, 20, train, held_out=torch.full((8, 33), 4), vocab_size=5, seed=0)
    assert other.losses == run.losses
    assert other.loss > 1.6
    assert (run.tokens, run.compute) == (20 * 256, 6 * run.parameters * 20 * 256)


@torch.no_grad()
def test_the_loss_is_that_of_the_next_tokens():
    model, windows = GPT(5, 8, 8, 1, 2).eval(), torch.randint(5, (3, 9))
    logits = model(windows[:, :-1]).log_softmax(dim=-1)
    slow = [-logits[i, t, windows[i, t + 1]] for i in range(3) for t in range(8)]
    assert loss_of(model, windows) == pytest.approx(float(sum(slow)) / 24, rel=1e-5)


def test_running_means():
    assert running_means([4.0, 2.0, 0.0]) == [4.0, 3.0, 2.0]
    assert running_means([0.0] * 16 + [16.0])[-2:] == [0.0, 1.0]
    assert running_means([]) == []


@pytest.fixture
def tiny(monkeypatch):
    """Models and a text that take no time."""
    monkeypatch.setattr(scaling_lab, "NUM_LAYERS", 1)
    monkeypatch.setattr(scaling_lab, "WIDTHS", (4, 4, 8, 8, 12, 12))
    monkeypatch.setattr(scaling_lab, "HELD_OUT", 16)
    monkeypatch.setattr(scaling_lab, "BATCH", 64)
    text = Tales(num_train=None, num_chars=12_000)
    monkeypatch.setattr(scaling_lab, "open_text", lambda name: text)


@pytest.mark.parametrize("by", ["parameters", "data", "compute"])
def test_the_lab_is_a_function_of_its_arguments_and_leaves_no_trace(tiny, by):
    state = torch.get_rng_state()
    first, again = (scaling(by, tokens=8_192, seed=1) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (first.numbers, first.tables) == (again.numbers, again.tables)
    assert len(first.tables["runs"]) == 6
    assert first.numbers["last loss"] == first.tables["runs"][-1]["held-out loss"]
    assert any("made by code" in note for note in first.notes)
    assert figure_bytes(first.figures["scaling"], "png").startswith(b"\x89PNG")


def test_another_seed_gives_other_numbers(tiny):
    losses = [scaling(tokens=8_192, seed=s).numbers["last loss"] for s in (0, 1)]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": 5}, "runs wants a whole number from 6 to 12, got 5"),
        ({"tokens": 100}, "tokens wants a whole number from 8192 to 1e"),
        ({"by": "time"}, "by"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_bounds_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        check_arguments(scaling, arguments)  # as the command line does
