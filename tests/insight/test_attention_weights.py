"""The weights that a model attends with, against weights computed one by one."""

import itertools
import json
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right, causal_upper_left

from freedive.insight.attention import Attention, attention_weights, stacked
from freedive.insight.attention_figures import attention_record, heatmaps
from freedive.insight.attention_heads import head_summary
from freedive.insight.attention_text import ASCII_SHADES, columns_of, legend, text_heatmap
from freedive.insight.features import InsightError


def by_hand(q: Tensor, k: Tensor, seen: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q kᵀ/√d + bias) over the keys that are seen, a number at a time."""
    q, k = q.detach().double(), k.detach().double()
    *batch, queries, size = q.shape
    weights = torch.zeros(*batch, queries, k.shape[-2], dtype=torch.float64)
    bias = torch.zeros(()) if bias is None else bias
    seen, bias = seen.expand_as(weights), bias.expand_as(weights)
    for row in itertools.product(*map(range, weights.shape[:-1])):
        keys = [j for j in range(k.shape[-2]) if seen[row][j] and bias[row][j] > -math.inf]
        scores = {
            j: float(q[row] @ k[row[:-1]][j]) / math.sqrt(size) + float(bias[row][j]) for j in keys
        }
        for j in keys:
            others = sum(math.exp(scores[i] - scores[j]) for i in keys)
            weights[row][j] = 1 / others
    return weights.float()


class Attends(nn.Module):
    """Calls torch's attention with whatever it is given."""

    def forward(self, *args: Tensor, **kwargs: Any) -> Tensor:
        return F.scaled_dot_product_attention(*args, **kwargs)


ALL = torch.ones((), dtype=torch.bool)
Q, K, V = torch.randn(3, 2, 3, 4, 8, generator=torch.Generator().manual_seed(1)).unbind()
EMPTY_ROW = torch.ones(4, 4, dtype=torch.bool).index_fill(0, torch.tensor(2), False)
LENGTHS = (torch.arange(4) < torch.tensor([3, 1])[:, None])[:, None, None]
BIAS = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(2))
TRIL = torch.ones(4, 4, dtype=torch.bool).tril()


@pytest.mark.parametrize(
    ("given", "seen", "bias"),
    [
        ({}, ALL, None),
        ({"is_causal": True}, TRIL, None),
        ({"attn_mask": LENGTHS}, LENGTHS, None),
        ({"attn_mask": EMPTY_ROW}, EMPTY_ROW, None),
        ({"attn_mask": BIAS}, ALL, BIAS),
        ({"attn_mask": torch.zeros(4, 4).masked_fill(~EMPTY_ROW, -torch.inf)}, EMPTY_ROW, None),
        ({"attn_mask": causal_upper_left(4, 4)}, TRIL, None),
        ({"dropout_p": 0.9}, ALL, None),
        ({"scale": 0.0}, ALL, None),
    ],
)
def test_the_weights_of_torchs_function_are_those_of_its_definition(
    given: dict[str, Any], seen: Tensor, bias: Tensor | None
) -> None:
    model = Attends()
    torch.manual_seed(3)
    plain = model(Q, K, V, **given)
    torch.manual_seed(3)
    with attention_weights(model) as caught:
        result = model(Q, K, V, **given)
    assert torch.equal(result, plain)
    (found,) = caught
    expected = by_hand(Q * (0.0 if "scale" in given else 1.0), K, seen, bias)
    torch.testing.assert_close(found.weights, expected)
    assert not found.weights.isnan().any()
    if "dropout_p" not in given:
        torch.testing.assert_close(found.weights @ V, result.nan_to_num(0.0))


def test_fewer_queries_than_keys_causal_from_either_corner() -> None:
    q = Q[:, :, :2]
    upper = torch.ones(2, 4, dtype=torch.bool).tril()
    lower = torch.ones(2, 4, dtype=torch.bool).tril(2)
    model = Attends()
    with attention_weights(model) as caught:
        model(q, K, V, is_causal=True)
        model(q, K, V, attn_mask=causal_lower_right(2, 4))
    for found, seen in zip(caught, (upper, lower), strict=True):
        torch.testing.assert_close(found.weights, by_hand(q, K, seen))


def test_heads_that_share_keys() -> None:
    q = torch.randn(2, 6, 4, 8)
    model = Attends()
    with attention_weights(model) as caught:
        result = model(q, K, V, enable_gqa=True)
    expected = by_hand(q, torch.stack([K[:, i // 2] for i in range(6)], dim=1), ALL)
    torch.testing.assert_close(caught[0].weights, expected)
    assert result.shape == (2, 6, 4, 8)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 8), (1, 1, 4, 4)),
        ((2, 4, 8), (2, 1, 4, 4)),
        ((2, 5, 3, 4, 8), (10, 3, 4, 4)),
        ((0, 3, 4, 8), (0, 3, 4, 4)),
        ((2, 3, 1, 1), (2, 3, 1, 1)),
        ((2, 3, 0, 8), (2, 3, 0, 0)),
    ],
)
def test_weights_have_four_axes_whatever_the_queries_have(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    model, X = Attends(), torch.randn(shape)
    with attention_weights(model) as caught:
        model(X, X, X)
    assert caught[0].weights.shape == expected
    torch.testing.assert_close(
        caught[0].weights.reshape(*shape[:-1], shape[-2]), by_hand(X, X, ALL)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_and_autocast_give_weights_in_float32(dtype: torch.dtype) -> None:
    q, k, v = (
        part.to(dtype).transpose(-2, -1).contiguous().transpose(-2, -1) for part in (Q, K, V)
    )
    model = Attends()
    with attention_weights(model) as caught, torch.autocast("cpu", torch.bfloat16):
        model(q, k, v)
    assert caught[0].weights.dtype == torch.float32
    torch.testing.assert_close(caught[0].weights, by_hand(q, k, ALL))


def test_what_is_not_a_number_stays_visible_where_it_comes_from() -> None:
    q = Q.clone()
    q[0, 0, 1, 0] = torch.nan
    model = Attends()
    with attention_weights(model) as caught:
        model(q, K, V)
    assert caught[0].weights.isnan().nonzero()[:, :3].unique(dim=0).tolist() == [[0, 0, 1]]


class Weights(nn.Dropout):
    """What scratch modules let their weights pass through."""

    passes_attention_weights = True


class FromTensorsUp(nn.Module):
    """One head, or several, with every weight computed by itself."""

    def __init__(self, heads: bool = True):
        super().__init__()
        self.weights, self.heads = Weights(0.5), heads

    def forward(self, X: Tensor) -> Tensor:
        q = X[:, None].expand(-1, 2, -1, -1) if self.heads else X
        return self.weights((q @ q.transpose(-2, -1)).softmax(dim=-1)) @ q


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("heads", [False, True])
def test_modules_that_say_what_passes_through_them(train: bool, heads: bool) -> None:
    model = nn.Sequential(nn.Identity(), FromTensorsUp(heads)).train(train)
    X = torch.randn(2, 3, 4)
    with attention_weights(model) as caught:
        model(X)
    (found,) = caught
    expected = (
        (X @ X.transpose(1, 2)).softmax(dim=-1)[:, None].expand(-1, 2 if heads else 1, -1, -1)
    )
    assert found.name == "1"
    torch.testing.assert_close(found.weights, expected)


class Block(nn.Module):
    """Causal self-attention as GPTs have it."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, X: Tensor) -> Tensor:
        q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in self.maps(X).chunk(3, 2))
        Y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return X + self.out(Y.transpose(1, 2).flatten(2))


class Gpt(nn.Module):
    """Two such blocks, and a block that is used a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(8, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        X = self.embedding(tokens)
        for block in [*self.blocks, self.blocks[0]]:
            X = block(X)
        return self.head(X)


def test_the_innermost_module_gives_the_name_and_calls_keep_their_order() -> None:
    model, tokens = Gpt(), torch.randint(10, (2, 5))
    with attention_weights(model) as caught:
        model(tokens)
    assert [a.name for a in caught] == ["blocks.0", "blocks.1", "blocks.0"]
    X = model.embedding(tokens)
    q, k, _ = (p.unflatten(2, (2, 4)).transpose(1, 2) for p in model.blocks[0].maps(X).chunk(3, 2))
    expected = by_hand(q, k, torch.ones(5, 5, dtype=torch.bool).tril())
    torch.testing.assert_close(caught[0].weights, expected)
    with attention_weights(model.blocks[1]) as caught:
        model(tokens)  # what is not of the module that was asked about is caught at no path
    assert [a.name for a in caught] == ["", "", ""]


def test_nothing_is_left_in_the_model_even_after_an_error() -> None:
    model, tokens = Gpt(), torch.randint(10, (2, 5))
    before = model(tokens)
    with pytest.raises(IndexError), attention_weights(model) as caught:  # noqa: PT012
        with pytest.raises(IndexError):
            model(tokens + 10)
        model(tokens)
        model(tokens + 10)
    assert [a.name for a in caught] == ["blocks.0", "blocks.1", "blocks.0"]
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    model(tokens)
    assert len(caught) == 3
    assert torch.equal(model(tokens), before)
    assert not any(a.weights.requires_grad for a in caught)


def test_gradients_pass_as_if_nobody_looked() -> None:
    model, tokens = Gpt(), torch.randint(10, (2, 5))
    model(tokens).sum().backward()
    plain = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    with attention_weights(model):
        model(tokens).sum().backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(plain, grads, strict=True))


PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])


def mha_by_hand(layer: nn.MultiheadAttention, q: Tensor, k: Tensor, seen: Tensor) -> Tensor:
    """The weights of torch's layer, batch first."""
    (wq, wk, _), (bq, bk, _) = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    heads = (layer.num_heads, layer.head_dim)
    q, k = (
        (x @ w.T + b).unflatten(2, heads).transpose(1, 2) for x, w, b in ((q, wq, bq), (k, wk, bk))
    )
    return by_hand(q.detach(), k.detach(), seen)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("asked", [{}, {"need_weights": False}, {"average_attn_weights": False}])
def test_multihead_attention_is_caught_once_and_gives_what_its_caller_wants(
    train: bool, batch_first: bool, asked: dict[str, bool]
) -> None:
    layer = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=batch_first).train(train)
    X, memory = torch.randn(2, 4, 8), torch.randn(2, 5, 8)
    given = [part if batch_first else part.transpose(0, 1) for part in (X, memory, memory)]
    torch.manual_seed(5)
    plain = layer(*given, key_padding_mask=PADDING, **asked)
    torch.manual_seed(5)
    with attention_weights(layer) as caught:
        result = layer(*given, key_padding_mask=PADDING, **asked)
    torch.testing.assert_close(result, plain)
    (found,) = caught
    torch.testing.assert_close(
        found.weights, mha_by_hand(layer, X, memory, ~PADDING[:, None, None])
    )


def test_multihead_attention_without_a_batch_with_hidden_rows_and_other_widths() -> None:
    layer = nn.MultiheadAttention(8, 2)
    X = torch.randn(4, 8)
    with attention_weights(layer) as caught:
        layer(X, X, X)
        layer(X, X, X, attn_mask=~EMPTY_ROW, need_weights=False)
        layer(X, X, X, attn_mask=~EMPTY_ROW, need_weights=True)
    seen = [ALL, EMPTY_ROW, EMPTY_ROW]
    for found, mask in zip(caught, seen, strict=True):
        torch.testing.assert_close(found.weights, mha_by_hand(layer, X[None], X[None], mask))
    wide = nn.MultiheadAttention(8, 2, kdim=6, vdim=3, add_bias_kv=True, add_zero_attn=True)
    with attention_weights(wide) as caught:
        _, told = wide(X, torch.randn(5, 6), torch.randn(5, 3), average_attn_weights=False)
    torch.testing.assert_close(caught[0].weights[0], told.detach())
    assert caught[0].weights.shape == (1, 2, 4, 7)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_torchs_encoder_is_caught_on_its_fused_path_too(train: bool, norm_first: bool) -> None:
    made = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=norm_first)
    encoder = nn.TransformerEncoder(made, 2, enable_nested_tensor=not norm_first).train(train)
    X = torch.randn(2, 5, 8)
    with torch.no_grad():
        plain = encoder(X, src_key_padding_mask=PADDING)
        with attention_weights(encoder) as caught:
            result = encoder(X, src_key_padding_mask=PADDING)
        layer = encoder.layers[0]
        hidden = layer.norm1(X) if norm_first else X
        expected = mha_by_hand(layer.self_attn, hidden, hidden, ~PADDING[:, None, None])
    assert [a.name for a in caught] == ["layers.0.self_attn", "layers.1.self_attn"]
    torch.testing.assert_close(caught[0].weights, expected)
    torch.testing.assert_close(result[~PADDING], plain[~PADDING])


def test_torchs_decoder_attends_to_itself_and_to_what_was_read() -> None:
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1)
    X, memory = torch.randn(2, 4, 8), torch.randn(2, 5, 8)
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    with attention_weights(decoder) as caught, torch.no_grad():
        decoder.eval()(X, memory, tgt_mask=causal, tgt_is_causal=True)
    assert [a.name for a in caught] == ["layers.0.self_attn", "layers.0.multihead_attn"]
    torch.testing.assert_close(
        caught[0].weights, mha_by_hand(decoder.layers[0].self_attn, X, X, TRIL)
    )
    assert caught[1].weights.shape == (2, 2, 4, 5)


def test_a_compiled_model_is_run_as_it_is_written() -> None:
    model, tokens = Gpt().eval(), torch.randint(10, (2, 5))
    compiled = torch.compile(model, backend="eager")
    compiled(tokens)
    with attention_weights(compiled) as caught:  # type: ignore[arg-type]
        compiled(tokens)
    assert [a.name for a in caught] == ["blocks.0", "blocks.1", "blocks.0"]
    with (
        pytest.raises(InsightError, match="compiled script"),
        attention_weights(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2))),
    ):
        pass


def test_a_text_written_step_by_step_has_the_weights_of_one_that_is_read_at_once() -> None:
    q, k = torch.randn(2, 1, 2, 6, 4).unbind()
    whole = by_hand(q, k, torch.ones(6, 6, dtype=torch.bool).tril())
    model = Attends()
    for first in (1, 3):
        with attention_weights(model) as caught:
            model(q[:, :, :first], k[:, :, :first], k[:, :, :first], is_causal=True)
            for i in range(first, 6):
                model(q[:, :, i : i + 1], k[:, :, : i + 1], k[:, :, : i + 1])
        (joined,) = stacked(caught)
        torch.testing.assert_close(joined.weights, whole)


def test_calls_that_are_no_steps_are_not_joined() -> None:
    def call(name: str, *shape: int, **axes: tuple[str, ...]) -> Attention:
        return Attention(name, torch.full(shape, 1 / shape[-1]), **axes)

    assert stacked([]) == []
    two = [call("a", 1, 2, 3, 3), call("a", 1, 2, 3, 3)]
    assert stacked(two) == two
    shrinking = [call("a", 1, 2, 1, 3), call("a", 1, 2, 1, 2)]
    assert stacked(shrinking) == shrinking
    other_batch = [call("a", 1, 2, 1, 3), call("a", 2, 2, 1, 3)]
    assert stacked(other_batch) == other_batch
    mixed = [call("a", 1, 1, 1, 2, queries=("x",)), call("b", 1, 1, 1, 2),
             call("a", 1, 1, 1, 2, queries=("y",), keys=("u", "v"))]  # fmt: skip
    a, b = stacked(mixed)
    assert (a.name, a.queries, a.keys, tuple(a.weights.shape)) == (
        "a",
        ("x", "y"),
        ("u", "v"),
        (1, 1, 2, 2),
    )
    assert b is mixed[1]


def summary_of(weights: Tensor, lengths: Tensor | None = None) -> dict[str, Any]:
    (row,) = head_summary([Attention("a", weights[None, None])], lengths)
    return row


def test_a_head_is_summed_up_in_numbers_of_a_closed_form() -> None:
    n = 5
    diagonal = summary_of(torch.eye(n))
    assert diagonal == {
        "layer": "a", "head": 1, "entropy": 0.0, "of log keys": 0.0, "distance": 0.0,
        "diagonal": 1.0, "previous": 0.0, "first": pytest.approx(1 / n),
    }  # fmt: skip
    even = summary_of(torch.full((n, n), 1 / n))
    assert even["entropy"] == pytest.approx(math.log(n))
    assert even["of log keys"] == pytest.approx(1.0)
    assert even["distance"] == pytest.approx((n * n - 1) / (3 * n))
    causal = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
    assert summary_of(causal)["of log keys"] == pytest.approx(1.0)
    assert summary_of(causal)["entropy"] == pytest.approx(math.log(math.factorial(n)) / n)
    previous = torch.eye(n).roll(1, dims=0)
    previous[0] = 0.0  # sees nothing, and counts for nothing
    found = summary_of(previous)
    assert (found["previous"], found["distance"], found["diagonal"]) == (1.0, 1.0, 0.0)
    first = torch.eye(n)[:1].expand(n, n)
    assert summary_of(first)["first"] == 1.0
    assert summary_of(first)["distance"] == pytest.approx((n - 1) / 2)


def test_padding_does_not_count_and_sides_may_be_of_any_length() -> None:
    weights = torch.rand(2, 3, 4, 6).softmax(dim=-1)
    whole = head_summary([Attention("a", weights)], torch.tensor([2, 4]))
    alone = [head_summary([Attention("a", weights[i : i + 1, :, :n])]) for i, n in ((0, 2), (1, 4))]
    for row, short, long in zip(whole, *alone, strict=True):
        for name in ("entropy", "of log keys", "distance", "diagonal", "first"):
            assert row[name] == pytest.approx((2 * short[name] + 4 * long[name]) / 6)
        assert row["previous"] == pytest.approx((short["previous"] + 3 * long["previous"]) / 4)
    assert [row["head"] for row in whole] == [1, 2, 3]
    one = summary_of(torch.ones(1, 1))
    assert (one["entropy"], one["of log keys"], one["diagonal"]) == (0.0, 0.0, 1.0)
    assert math.isnan(one["previous"])
    assert math.isnan(summary_of(torch.zeros(2, 2))["entropy"])
    tall = summary_of(torch.full((5, 2), 0.5))
    assert (tall["diagonal"], tall["previous"]) == (0.5, 0.5)
    assert math.isnan(summary_of(torch.zeros(0, 3))["first"])


TOKENS = ["<bos>", "le", "chien", "."]


def layers(number: int, heads: int, size: int = 4) -> list[Attention]:
    return [Attention(f"b.{i}", torch.rand(1, heads, size, size)) for i in range(number)]


def test_a_figure_has_a_row_a_layer_a_column_a_head_and_one_scale() -> None:
    figure = heatmaps([*layers(2, 3), *layers(1, 1)], TOKENS, TOKENS, title="t")
    *maps, scale = figure.axes
    assert [axes.get_title() for axes in maps] == ["head 1", "head 2", "head 3"] * 2 + ["head 1"]
    assert [len(axes.images) for axes in maps] == [1] * 7
    assert all(axes.images[0].get_clim() == (0, 1) for axes in maps)
    assert scale.get_ylabel() == "weight"
    assert [t.get_text() for t in maps[0].get_xticklabels()] == TOKENS
    assert [t.get_text() for t in maps[0].get_yticklabels()] == TOKENS
    assert maps[1].get_yticklabels() == []
    assert figure.get_suptitle() == "t"
    assert [text.get_text() for text in figure.texts if text.get_rotation()] == [
        "b.0",
        "b.1",
        "b.0",
    ]


@pytest.mark.parametrize("size", [1, 4, 25])
@pytest.mark.parametrize("token", ["x", "n'est-ce", "internationalisation"])
def test_nothing_that_is_written_in_a_figure_meets_anything_else(size: int, token: str) -> None:
    path = "decoder.blocks.11.cross_attention.attention"
    deep, tokens = Attention(path, torch.rand(1, 2, size, size)), [token] * size
    figure = heatmaps([deep, *layers(1, 1, size)], tokens, tokens, title="on " + "words " * 20)
    figure.draw_without_rendering()
    ticks = [t for axes in figure.axes for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    written = [*figure.texts, *(axes.title for axes in figure.axes), *ticks]
    boxes = [text.get_window_extent() for text in written if text.get_text()]
    frame = figure.bbox
    for number, box in enumerate(boxes):
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        assert frame.y0 <= box.y0 <= box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_a_figure_says_what_it_leaves_out() -> None:
    figure = heatmaps(layers(8, 10, size=2))
    assert len(figure.axes) == 6 * 8 + 1
    assert figure.get_suptitle() == "6 of 8 layers, 8 of 10 heads"
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1", "2"]
    one = heatmaps(layers(2, 10, size=2), head=9)
    assert [axes.get_title() for axes in one.axes[:2]] == ["head 9", "head 9"]
    assert len(one.axes) == 3
    long = heatmaps(layers(1, 1, size=100)).axes[0]
    assert [t.get_text() for t in long.get_xticklabels()][:3] == ["1", "4", "7"]


def test_tokens_of_its_own_go_first_and_fewer_tokens_cut_padding_off() -> None:
    own = Attention("a", torch.rand(2, 1, 4, 5), queries=("x", "y"), keys=("u", "v", "$w$"))
    axes = heatmaps([own], TOKENS, TOKENS, row=1).axes[0]
    assert torch.equal(torch.from_numpy(axes.images[0].get_array().data), own.weights[1, 0, :2, :3])
    record = attention_record([own], row=1)["attentions"][0]
    assert json.loads(json.dumps(record)) == record
    assert (record["name"], record["queries"], record["keys"]) == (
        "a",
        ["x", "y"],
        ["u", "v", "$w$"],
    )
    torch.testing.assert_close(
        torch.tensor(record["weights"]), own.weights[1, :, :2, :3], atol=6e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"attentions": []}, "no attention to draw"),
        ({"attentions": layers(1, 2), "head": 3}, "head 3 is not there: the layers have 1 to 2"),
        ({"attentions": layers(1, 1), "row": 1}, "1 sentences, got row 1"),
        ({"attentions": layers(1, 1), "keys": TOKENS * 2}, "4 keys, got 8 tokens"),
        ({"attentions": layers(1, 1), "queries": TOKENS * 2}, "4 queries, got 8 tokens"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InsightError, match=told):
        heatmaps(**given)


WEIGHTS = torch.tensor([[1.0, 0.0], [0.3, 0.7], [0.05, 0.5]])


def test_a_terminal_gets_shades_with_tokens_at_the_sides() -> None:
    text = text_heatmap(WEIGHTS, ["a", "b", "c"], ["le", "chat"])
    assert text.splitlines() == ["  le   chat", "a ████ ····", "b ▒▒▒▒ ▓▓▓▓", "c ░░░░ ▓▓▓▓"]
    plain = text_heatmap(WEIGHTS, ["a", "b", "c"], ["le", "chat"], shades=ASCII_SHADES)
    assert plain.splitlines()[1:] == ["a #### ....", "b ++++ xxxx", "c :::: xxxx"]
    assert legend(shades=ASCII_SHADES) == ". < 0.05 < : < 0.25 < + < 0.5 < x < 0.75 < #"
    assert legend(color=True) == "black is 0, white is 1"
    coloured = text_heatmap(WEIGHTS[:1], ["a"], ["le", "chat"], color=True)
    white, black = "\x1b[48;5;255m    \x1b[0m", "\x1b[48;5;232m    \x1b[0m"
    assert coloured.splitlines()[1] == f"a {white} {black}"


def test_headings_stand_upright_where_words_have_no_room_and_then_words_are_told() -> None:
    keys = ["one", "three", "seven", "eight"]
    weights = torch.eye(4)
    upright = text_heatmap(weights, keys, keys, width=20)
    assert upright.splitlines() == [
        "         t  s  e",
        "         h  e  i",
        "      o  r  v  g",
        "      n  e  e  h",
        "      e  e  n  t",
        "one   ██ ·· ·· ··",
        "three ·· ██ ·· ··",
        "seven ·· ·· ██ ··",
        "eight ·· ·· ·· ██",
    ]
    many = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.0] * 4]).repeat(1, 2) / 2
    listed = text_heatmap(many[:, :8] * 2, keys[:2], keys + TOKENS, width=20)
    assert listed.splitlines() == ["one   → one 70%", "three → nothing"]
    wider = text_heatmap(many, keys[:2], keys + TOKENS, width=23, shades=ASCII_SHADES)
    assert wider.splitlines()[-1] == "three ................"


@pytest.mark.parametrize("count", [0, 1, 5, 12, 25, 33, 40, 200])
@pytest.mark.parametrize("token", ["x", "mot", "internationalisation", "猫", "\x1b[31m", ""])
@pytest.mark.parametrize("width", [80, 30])
def test_no_line_is_wider_than_the_terminal_and_none_commands_it(
    count: int, token: str, width: int
) -> None:
    text = text_heatmap(
        torch.full((2, count), 1 / max(1, count)), [token] * 2, [token] * count, width
    )
    assert len(text.splitlines()) >= 2
    assert all(columns_of(line) <= width for line in text.splitlines())
    assert "\x1b" not in text


def test_spaces_and_line_ends_are_seen() -> None:
    text = text_heatmap(WEIGHTS, [" ", "\n", "a b"], ["\t", "é"])
    assert [line.split()[0] for line in text.splitlines()] == ["⇥", "␣", "⏎", "a␣b"]
