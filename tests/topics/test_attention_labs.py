"""The labs on attention: equal each time, right in their numbers, one line for what cannot be."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.topics.attention.costs import costs, layers_to_span
from freedive.topics.attention.heads_lab import SENTENCE, multi_head_attention
from freedive.topics.attention.positions_lab import positional_encoding
from freedive.topics.attention.scoring_lab import (
    attended,
    attention_scoring,
    by_length,
    drawn,
    saturating,
    scores_of,
)


@pytest.mark.parametrize("score", ["dot-product", "unscaled", "additive"])
@pytest.mark.parametrize("causal", [False, True])
def test_the_steps_are_attention(score, causal):
    report = attention_scoring(score, 5, 5, 7, (5, 3), causal, seed=2)
    queries, keys, values = drawn(2, (5, 5), 7, 2)
    scores = scores_of(score, queries, keys, 2)
    steps = attended(scores, values, torch.tensor([5, 3]), causal)
    mask = (torch.arange(5) < torch.tensor([5, 3])[:, None])[:, None].expand(-1, 5, -1)
    mask = mask.tril() if causal else mask
    assert torch.equal(steps.mask, mask)
    if score != "additive":
        scale = None if score == "dot-product" else 1.0
        expected = F.scaled_dot_product_attention(queries, keys, values, mask, scale=scale)
        assert_close(steps.outputs, expected)
    assert_close(steps.weights, scores.masked_fill(~mask, -torch.inf).softmax(dim=-1))
    *rows, mean = report.tables["the first query, valid length 5"]
    assert [row["key"] for row in rows] == list("12345")
    assert [row["weight"] for row in rows] == pytest.approx(steps.weights[0, 0].tolist())
    terms = [row["exp a"] or 0.0 for row in rows]
    assert [term / sum(terms) for term in terms] == pytest.approx(steps.weights[0, 0].tolist())
    assert mean["value"] == ", ".join(f"{x:.3f}" for x in steps.outputs[0, 0].tolist())
    assert mean["weight"] == pytest.approx(1.0)
    assert report.numbers["largest sum of a row, off 1 by"] < 1e-12


def test_a_row_that_sees_nothing_is_zero_and_the_books_uniform():
    found = by_length(torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64))
    ours, book = found.values()
    assert ours[0].tolist() == [0, 0, 0]
    assert book[0].tolist() == pytest.approx([1 / 3] * 3)
    assert_close(ours[1:], book[1:])
    numbers = attention_scoring(num_keys=4, valid_lens=(0,)).numbers
    assert numbers["sum of a row that sees nothing"] == 0
    assert numbers["its sum with −10⁶"] == pytest.approx(1.0)
    assert numbers["its weights with −10⁶"] == pytest.approx(0.25)


def test_a_softmax_saturates_without_scaling_only():
    found = saturating(0)
    scaled, plain = found.largest["over √d"], found.largest["not scaled"]
    assert scaled[0] == plain[0]
    assert plain == sorted(plain)
    assert plain[-1] > 0.9 > 0.5 > max(scaled)
    assert found.slopes["not scaled"][-1] < 0.1 * found.slopes["over √d"][-1]
    assert_close([float(weights.sum()) for weights in found.ordered.values()], [1.0, 1.0])


def test_a_saturating_softmaxs_slopes_are_those_of_autograd():
    scores = torch.randn(6, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(lambda a: a.softmax(dim=0), scores).abs().sum()
    weights = scores.softmax(dim=0)
    assert_close(2 * (weights * (1 - weights)).sum(), slopes)


def test_order_matters_only_with_positions():
    numbers = multi_head_attention(width=8).numbers
    assert numbers["changed by another order, none"] < 1e-12
    assert numbers["changed by another order, sinusoidal"] > 0.1
    assert numbers["changed by another order, rotary"] > 0.1
    assert numbers["parameters"] == 4 * 32**2


def test_heads_look_at_different_words_where_they_are_sharp():
    report = multi_head_attention(num_heads=3, sharpness=3.0, width=8)
    assert len(report.tables["heads"]) == 3
    assert report.numbers["heads apart, mean difference of weights"] > 0.2
    even = multi_head_attention(num_heads=2, sharpness=0.0, width=8)
    n = len(SENTENCE.split())
    for row in even.tables["heads"]:
        assert row["keys that count, mean"] == pytest.approx(n)
        assert row["largest weight"] == pytest.approx(1 / n)
    assert even.numbers["heads apart, mean difference of weights"] < 1e-12
    assert multi_head_attention("a b", 1, causal=True, width=8).numbers[
        "heads apart, mean difference of weights"] == 0  # fmt: skip


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (5, 3, 3), (8, 16, 5), (20, 4, 7)])
def test_costs_are_counted_as_the_formulas_have_them(n, d, k):
    assert costs(n, d, k) == {
        "attention": 2 * n * n * d,
        "self-attention": 2 * n * n * d + 4 * n * d * d,
        "convolution": k * n * d * d,
        "recurrence": 2 * n * d * d,
    }


def test_paths_of_convolutions_are_as_long_as_the_formula_has_them():
    for k in (2, 3, 5, 8):
        for n in (1, 2, 3, 9, 10, 50):
            assert layers_to_span(n, k) == math.ceil((n - 1) / (k - 1))


def test_the_rotation_holds_and_products_depend_on_distance():
    report = positional_encoding(16, 200, (0, 15), 3, 100.0, seed=5)
    numbers, table = report.numbers, report.tables["columns"]
    assert numbers["largest ‖p‖², off d/2 by"] < 1e-12
    assert all(value < 1e-12 for name, value in numbers.items() if name.startswith("spread"))
    assert numbers["off the rotation, double · double"] < 1e-12
    single = numbers["off the rotation, double · single"]
    assert 1e-9 < single < 1e-6 < numbers["off the rotation, single · single"]
    assert numbers["longest wavelength"] == pytest.approx(2 * math.pi * 100 ** (14 / 16))
    assert [row["wave"] for row in table] == ["sin", "cos"]
    assert [row["frequency ω"] for row in table] == pytest.approx([1.0, 100 ** (-14 / 16)])
    rows = report.tables["products by distance"]
    assert [row["δ"] for row in rows] == [0, 1, 2, 4, 8, 16, 32, 64, 128]
    for row in rows:
        waves = [math.cos(row["δ"] * 100 ** (-2 * j / 16)) for j in range(8)]
        assert row["sinusoids, p·p over d/2"] == pytest.approx(sum(waves) / 8, abs=1e-12)
    assert rows[0]["rotary, a query and itself"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: attention_scoring("additive", 1, 1, 1, (0, 1, 1, 0), True),
        lambda: attention_scoring("unscaled", 12, 12, 1024, (12,), seed=3),
        lambda: multi_head_attention("one two", 8, 1, "rotary", True, 10.0, 1, 15),
        lambda: multi_head_attention(" ".join("abcdefghijklmnop"), 5, 3, "sinusoidal"),
        lambda: positional_encoding(2, 2, (0,), 0),
        lambda: positional_encoding(4, 3, (3, 3, 0, 1, 2, 0), 2, 1.5),
    ],
)
def test_the_labs_at_their_edges(call, tmp_path):
    report = call()
    assert all(map(math.isfinite, report.numbers.values()))
    assert len(report.save(tmp_path)) == 1 + len(report.figures)
    assert all(report.notes)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("attention-scoring --score cosine", "cosine"),
        ("attention-scoring --num-keys 3 --valid-lens 4", "from 0 to num_keys=3, got 4"),
        ("attention-scoring --valid-lens -1", "from 0 to num_keys=5, got -1"),
        ("attention-scoring --valid-lens", "wants 1 to 4 whole numbers"),
        ("attention-scoring --valid-lens 1 1 1 1 1", "got 1, 1, 1, 1, 1"),
        ("attention-scoring --size 0", "size wants a whole number from 1 to 1024, got 0"),
        ("multi-head-attention --sentence alone", "sentence wants 2 to 16 words, got 1: 'alone'"),
        ("multi-head-attention --kernel 4", "kernel wants an odd number, which is centred on a"),
        ("multi-head-attention --num-heads 9", "num_heads wants a whole number from 1 to 8, got 9"),
        ("multi-head-attention --sharpness nan", "sharpness wants a number from 0 to 10, got nan"),
        ("positional-encoding --size 7", "size wants an even number, pairs of columns, got 7"),
        ("positional-encoding --columns 32", "from 0 to size - 1 = 31, got 32"),
        ("positional-encoding --columns", "columns wants 1 to 6 whole numbers"),
        ("positional-encoding --delta 60", "delta wants less than the num_positions=60, got 60"),
        ("positional-encoding --base 1", "base wants a number above 1 to 1e+06, got 1.0"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words.split()]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


def test_too_many_words_are_counted():
    with pytest.raises(UsageError, match="sentence wants 2 to 16 words, got 17"):
        multi_head_attention("a " * 17)
