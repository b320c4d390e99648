"""Means over examples, whatever the batches were."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freedive.core.metrics import Meter, accuracy, confusion_matrix, perplexity, weighted_mean


def test_accuracy_counts_what_a_loop_counts():
    y_hat, y = torch.randn(37, 5), torch.randint(5, (37,))
    right = [
        max(range(5), key=row.tolist().__getitem__) == int(c)
        for row, c in zip(y_hat, y, strict=True)
    ]
    assert accuracy(y_hat, y).item() == pytest.approx(sum(right) / 37)
    assert accuracy(y_hat, y, averaged=False).tolist() == [float(r) for r in right]


def test_R31_a_single_output_column_is_judged_by_its_sign():
    y_hat = torch.tensor([[-2.0], [3.0], [0.5], [-0.1]])
    assert accuracy(y_hat, torch.tensor([0, 1, 0, 1])).item() == 0.5
    assert accuracy(y_hat, torch.tensor([0, 1, 1, 0])).item() == 1.0


def test_R31_outputs_with_steps_are_judged_step_by_step():
    y_hat, y = torch.randn(3, 4, 5), torch.randint(5, (3, 4))
    right = accuracy(y_hat, y, averaged=False)
    slow = [float(y_hat[i, t].argmax() == y[i, t]) for i in range(3) for t in range(4)]
    assert right.tolist() == slow
    assert accuracy(y_hat, y).item() == pytest.approx(sum(slow) / 12)


def test_accuracy_of_one_example_and_of_none():
    assert accuracy(torch.tensor([[0.0, 1.0]]), torch.tensor([1])).item() == 1.0
    assert (
        accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), averaged=False).numel() == 0
    )


def test_accuracy_takes_half_precision():
    y_hat = torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16)
    assert accuracy(y_hat, torch.tensor([1])).dtype == torch.float32


def test_confusion_matrix_counts_what_a_loop_counts():
    predicted, true = torch.randint(4, (50,)), torch.randint(4, (50,))
    slow = torch.zeros(4, 4, dtype=torch.long)
    for guess, label in zip(predicted, true, strict=True):
        slow[label, guess] += 1
    assert torch.equal(confusion_matrix(predicted, true, 4), slow)


def test_the_confusion_matrix_of_nothing_is_zero():
    none = torch.zeros(0, dtype=torch.long)
    assert torch.equal(confusion_matrix(none, none, 3), torch.zeros(3, 3, dtype=torch.long))


def test_R11_perplexity_is_the_exponential_of_the_mean():
    """Losses 1 and 3: e² is 7.389; the mean of the exponentials would be 11.4."""
    meter = Meter()
    meter.add("val_loss", torch.tensor(1.0), 5)
    meter.add("val_loss", torch.tensor(3.0), 5)
    assert perplexity(meter.means()["val_loss"]) == pytest.approx(7.389, abs=1e-3)


def test_perplexity_of_a_hopeless_model_is_infinite():
    assert perplexity(1e4) == math.inf
    assert perplexity(0.0) == 1.0


def test_R11_a_short_last_batch_has_a_small_weight():
    meter = Meter()
    meter.add("loss", torch.tensor(1.0), 8)
    meter.add("loss", torch.tensor(4.0), 2)
    assert meter.means()["loss"] == pytest.approx((8 * 1 + 2 * 4) / 10)


pairs = st.lists(
    st.tuples(st.floats(-1e3, 1e3, width=32), st.integers(1, 9)), min_size=1, max_size=20
)


@settings(max_examples=50, deadline=None)
@given(pairs, st.sets(st.integers(0, 20)))
def test_a_mean_does_not_depend_on_when_it_was_read(values, reads):
    meter, late = Meter(), Meter()
    for i, (value, n) in enumerate(values):
        late.add("x", torch.tensor(value), n)
        meter.add("x", torch.tensor(value), n)
        if i in reads:
            meter.read()
    expected = math.fsum(v * n for v, n in values) / sum(n for _, n in values)
    assert meter.means() == late.means()
    assert meter.means()["x"] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_tensors_and_numbers_may_be_mixed_and_keep_their_order():
    meter = Meter()
    meter.add("x", torch.tensor(1.0), 1)
    meter.add("x", 2.0, 1)
    meter.add("x", torch.tensor(3.0), 1)
    meter.read()
    assert meter.values["x"] == [1.0, 2.0, 3.0]


def test_what_was_noted_does_not_hold_the_graph():
    meter, weight = Meter(), torch.ones(1, requires_grad=True)
    meter.add("x", (weight * 2).sum(), 1)
    assert not any(value.requires_grad for _, value, _ in meter._waiting)


def test_an_empty_meter_has_no_means():
    assert Meter().means() == {}


def test_forget_drops_the_series_of_one_prefix():
    meter = Meter()
    for name in ("train_loss", "val_loss", "val_acc"):
        meter.add(name, torch.tensor(1.0), 1)
    meter.forget("val_")
    assert list(meter.means()) == ["train_loss"]


def test_a_meter_goes_on_from_its_state():
    first, whole = Meter(), Meter()
    for meter, values in ((first, [1.0, 2.0]), (whole, [1.0, 2.0, 5.0])):
        for value in values:
            meter.add("x", torch.tensor(value), 3)
    second = Meter()
    second.load_state_dict(first.state_dict())
    second.add("x", torch.tensor(5.0), 3)
    assert second.means() == whole.means()


def test_weighted_mean_at_the_edges():
    assert math.isnan(weighted_mean([], []))
    assert weighted_mean([2.0], [3]) == 2.0
    assert weighted_mean([math.inf, 1.0], [1, 1]) == math.inf
    assert math.isnan(weighted_mean([math.inf, -math.inf], [1, 1]))
    assert weighted_mean([1e16, 1.0, -1e16], [1, 1, 1]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("num_steps", [1, 2, 9, 10, 11, 37])
def test_R07_a_curve_covers_all_steps_whatever_their_number(num_steps):
    meter = Meter()
    for step in range(num_steps):
        meter.add("x", torch.tensor(float(step)), 1)
    meter.read()
    points = list(meter.curve("x", 0, num_steps, 10))
    assert len(points) == min(10, num_steps)
    assert [x for x, _ in points] == sorted({x for x, _ in points})
    assert points[-1][0] == 1.0
    widths = [b - a for a, b in pairwise([0, *(x for x, _ in points)])]
    area = sum(width * y for width, (_, y) in zip(widths, points, strict=True))
    assert area == pytest.approx((num_steps - 1) / 2)  # the mean of 0 … n−1


def test_a_curve_gives_only_the_points_that_are_complete():
    meter = Meter()
    for step in range(25):
        meter.add("x", torch.tensor(float(step)), 1)
    meter.read()
    assert list(meter.curve("x", 0, 100, 10)) == [(0.1, 4.5), (0.2, 14.5)]
    assert list(meter.curve("x", 1, 100, 10)) == [(0.2, 14.5)]
