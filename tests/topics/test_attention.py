"""Attention beside slow loops, torch's functions, and torch's multi-head attention."""

import inspect
import math
import re

import pytest
import torch
import torch.nn.functional as F
from tests.topics.attending import (
    attention_loop,
    attention_tensors,
    load,
    seen,
    softmax_loop,
    stirred,
    tensors_of,
)
from torch import nn
from torch.testing import assert_close

from freedive.core.errors import UsageError
from freedive.parity import copy_weights, exchange
from freedive.topics.attention import concise, scratch
from freedive.topics.attention.masks import causal_mask, length_mask, visible

FORMS = [scratch, concise]
every_form = pytest.mark.parametrize("form", FORMS, ids=["scratch", "concise"])
HALVES = [torch.float16, torch.bfloat16]
DTYPES = [torch.float32, torch.float64, *HALVES]
BATCH, HEADS, QUERIES, KEYS = 2, 3, 4, 5
MASKS = [(QUERIES, KEYS), (1, KEYS), (KEYS,), (1, QUERIES, 1), (BATCH, 1, KEYS), (1, 1, 1), ()]
MASKS += [(BATCH, 1, 1), (BATCH, QUERIES, KEYS)]


def normal(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=torch.float64).to(dtype)


def lengths_and_masks():
    """Every way to say what may be seen; the first query or example sees nothing."""
    chance = torch.Generator().manual_seed(3)
    yield "none", None
    yield "1-D", torch.tensor([0, 3])
    yield "1-D int32", torch.tensor([5, 1], dtype=torch.int32)
    yield "2-D", torch.tensor([[0, 1, 5, 2], [3, 0, 4, 5]])
    for shape in MASKS:
        yield f"mask {shape}", torch.rand(shape, generator=chance) < 0.6
    yield "nothing", torch.zeros(QUERIES, KEYS, dtype=torch.bool)


VALID = dict(lengths_and_masks())
every_valid = pytest.mark.parametrize("valid", VALID.values(), ids=VALID)


@every_form
@every_valid
@pytest.mark.parametrize("heads", [(), (HEADS,), (1, HEADS)])
def test_masked_softmax_is_a_slow_loop(form, valid, heads):
    scores = normal(BATCH, *heads, QUERIES, KEYS)
    if valid is not None and valid.dtype == torch.bool and valid.dim() == 3:
        valid = valid.reshape(len(valid), *(1,) * len(heads), *valid.shape[1:])
    found = form.masked_softmax(scores, valid)
    mask = seen(valid, scores.shape)
    assert_close(found.double(), softmax_loop(scores, mask), atol=1e-7, rtol=1e-6)
    assert not found[~mask].any()
    assert_close(found.sum(dim=-1), mask.any(dim=-1).float())
    hidden = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    assert_close(found, hidden.nan_to_num(0.0))


@every_form
def test_a_mask_may_have_heads(form):
    scores, mask = normal(BATCH, HEADS, QUERIES, KEYS), normal(BATCH, HEADS, 1, KEYS) > 0
    found = form.masked_softmax(scores, mask)
    assert_close(found.double(), softmax_loop(scores, mask.expand(scores.shape)), atol=1e-7, rtol=0)


@every_form
@pytest.mark.parametrize("dtype", DTYPES)
def test_r20_empty_rows_are_zero_and_the_scores_stay_as_they_are(form, dtype):
    scores = normal(BATCH, QUERIES, KEYS, dtype=dtype).requires_grad_()
    before = scores.detach().clone()
    found = form.masked_softmax(scores, torch.tensor([0, 2]))
    assert found.dtype == dtype
    assert not found[0].any()
    assert torch.equal(scores, before)
    assert_close(found[1, :, :2].detach(), before[1, :, :2].softmax(dim=-1), atol=1e-2, rtol=0)
    (found * normal(KEYS, dtype=dtype)).sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[0].any()
    assert not scores.grad[..., 2:].any()
    assert scores.grad[1, :, :2].any()


@every_form
@pytest.mark.parametrize("dtype", DTYPES)
def test_r20_scores_of_any_size_have_weights(form, dtype):
    largest = torch.finfo(dtype).max
    scores = torch.tensor([[[2.0, -2, 1], [1, 1, 2], [-2, -2, 0.5]]], dtype=torch.float64) / 2
    scores = (scores * largest).to(dtype)
    found = form.masked_softmax(scores, torch.tensor([[3, 2, 0]]))
    assert found.tolist() == [[[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]]


@every_form
def test_hidden_scores_may_be_anything(form):
    scores = normal(1, 2, 4)
    expected = form.masked_softmax(scores, torch.tensor([2]))
    scores[..., 2], scores[..., 3] = torch.inf, torch.nan
    assert torch.equal(form.masked_softmax(scores, torch.tensor([2])), expected)


@every_form
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0), (2, 2, 0, 0)]
)
def test_nothing_and_one_of_it(form, shape):
    for valid in (None, torch.full(shape[:1], shape[-1]), torch.ones(shape[-2:], dtype=torch.bool)):
        found = form.masked_softmax(torch.ones(shape), valid)
        assert found.shape == shape
        assert found.sum().item() == pytest.approx(math.prod(shape[:-1]) if shape[-1] else 0)


def test_masks_by_length_and_by_order():
    lengths = torch.tensor([[0, 1], [3, 2]])
    expected = [[[False] * 3, [True, False, False]], [[True] * 3, [True, True, False]]]
    assert length_mask(lengths, 3).tolist() == expected
    for queries in range(5):
        for keys in range(6):
            expected = [[j <= i + keys - queries for j in range(keys)] for i in range(queries)]
            assert causal_mask(queries, keys).tolist() == expected
    mask = visible(torch.tensor([2, 4]), (2, 1, 3, 4), causal=True)
    assert torch.equal(
        mask, causal_mask(3, 4) & length_mask(torch.tensor([2, 4]), 4)[:, None, None]
    )
    assert visible(None, (2, 1, 1, 7), causal=True) is None  # the last step sees all


LENGTHS = {
    "one length for each of the 2 examples or for each of their 4 queries, got a shape of (3,)": (
        torch.ones(3, dtype=torch.long)
    ),
    "pass (2,) or (2, 4)": torch.ones(4, 2, dtype=torch.long),
    "got a shape of ()": torch.tensor(3),
    "from 0 to 5, the number of keys, got 6: count": torch.tensor([1, 6]),
    "from 0 to 5, the number of keys, got -1": torch.tensor([[0, 5, -1, 9], [0, 0, 0, 0]]),
    "a mask for scores of shape (2, 4, 5) wants a shape that broadcasts to it, got (2, 5)": (
        torch.ones(2, 5, dtype=torch.bool)
    ),
    "got (4, 4): its last axes are queries and keys": torch.ones(4, 4, dtype=torch.bool),
    "got (1, 2, 4, 5)": torch.ones(1, 2, 4, 5, dtype=torch.bool),
}


@every_form
@pytest.mark.parametrize("told", LENGTHS)
def test_r20_what_may_be_seen_is_checked_at_the_door(form, told):
    attention, X = form.DotProductAttention(), normal(BATCH, KEYS, 3)
    for attend in (
        lambda: form.masked_softmax(normal(BATCH, QUERIES, KEYS), LENGTHS[told]),
        lambda: attention(X[:, :QUERIES], X, X, LENGTHS[told]),
    ):
        with pytest.raises(UsageError, match=re.escape(told)) as error:
            attend()
        assert "\n" not in str(error.value)


def leaves(*tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def value_and_gradients(attention, inputs, **how):
    """The outputs, then the gradients of inputs and parameters, by a fixed direction."""
    inputs = leaves(*inputs)
    output = attention(*inputs, **how)
    direction = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    wanted = [*inputs, *attention.parameters()]
    return output, torch.autograd.grad((output * direction).sum(), wanted)


@every_valid
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [(), (HEADS,)])
def test_scaled_dot_products_are_torchs_and_a_loops(valid, causal, heads):
    if valid is not None and valid.dtype == torch.bool and valid.dim() == 3:
        valid = valid.reshape(len(valid), *(1,) * len(heads), *valid.shape[1:])
    inputs = [normal(BATCH, *heads, n, d) for n, d in ((QUERIES, 6), (KEYS, 6), (KEYS, 7))]
    mask = seen(valid, (BATCH, *heads, QUERIES, KEYS))
    if causal:
        mask = mask & causal_mask(QUERIES, KEYS)
    slow = attention_loop(lambda q, k: q @ k / math.sqrt(6), *inputs, mask)
    found = [
        value_and_gradients(form.DotProductAttention(), inputs, valid_lens=valid, causal=causal)
        for form in FORMS
    ]
    assert_close(found[0], found[1], atol=1e-6, rtol=1e-5)
    assert_close(found[0][0], slow, atol=1e-6, rtol=1e-5)
    theirs = leaves(*inputs)
    scores = (theirs[0] @ theirs[1].mT / math.sqrt(6)).masked_fill(~mask, -torch.inf)
    expected = scores.softmax(dim=-1).where(mask, 0) @ theirs[2]
    assert_close(found[1][0], expected, atol=1e-6, rtol=1e-5)
    if mask.any(dim=-1).all():
        theirs = leaves(*inputs)
        expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
        direction = torch.linspace(-1, 1, expected.numel()).view_as(expected)
        gradients = torch.autograd.grad((expected * direction).sum(), theirs)
        assert_close(found[0], (expected, gradients), atol=1e-6, rtol=1e-5)
    for form_found in found:
        assert all(gradient.isfinite().all() for gradient in form_found[1])
        assert not form_found[0][~mask.any(dim=-1)].any()


def pairs():
    """The attentions that have weights, with the sizes of their queries and keys."""
    yield "additive", 6, 6, lambda form: form.AdditiveAttention(6)
    yield "additive, unlike sizes", 3, 4, lambda form: form.AdditiveAttention(8, 0.0, 3, 4)
    yield "bilinear", 3, 5, lambda form: form.BilinearAttention(3, 5)


PAIRS = {name: rest for name, *rest in pairs()}


@every_valid
@pytest.mark.parametrize("name", PAIRS)
def test_additive_and_bilinear_scores_agree_with_each_other_and_a_loop(name, valid):
    query_size, key_size, make = PAIRS[name]
    inputs = [normal(BATCH, n, d) for n, d in ((4, query_size), (5, key_size), (5, 2))]
    one, other = make(concise), make(scratch)
    copy_weights(stirred(one), other)
    found = value_and_gradients(one, inputs, valid_lens=valid)
    value, gradients = value_and_gradients(other, inputs, valid_lens=valid)
    assert_close(found[0], value, atol=1e-6, rtol=1e-5)
    assert_close(found[1][:3], gradients[:3], atol=1e-6, rtol=1e-5)
    assert_close(list(found[1][3:]), exchange(other, one, gradients[3:]), atol=1e-6, rtol=1e-5)

    def score(q, k):
        with torch.no_grad():
            if name == "bilinear":
                return q @ one.W.weight.T @ k / math.sqrt(key_size)
            return (one.w_v.weight @ torch.tanh(one.W_q.weight @ q + one.W_k.weight @ k)).item()

    assert_close(value, attention_loop(score, *inputs, valid), atol=1e-6, rtol=1e-5)


@every_form
def test_mapped_keys_can_be_asked_again_and_again(form):
    attention, X = form.AdditiveAttention(6), normal(2, 4, 6)
    keys = attention.W_k(X)
    for step in range(4):
        asked = X[:, step : step + 1]
        assert_close(attention.attend(asked, keys, X), attention(X, X, X)[:, step : step + 1])


@every_form
@pytest.mark.parametrize("sizes", [(1, 0, 3), (1, 3, 0), (0, 2, 2), (1, 0, 0), (1, 1, 1)])
def test_no_queries_no_keys_and_no_examples(form, sizes):
    batch, queries, keys = sizes
    X, Y = normal(batch, queries, 4), normal(batch, keys, 4)
    attentions = [form.DotProductAttention(), form.AdditiveAttention(4)]
    attentions += [form.BilinearAttention(4, 4), form.MultiHeadAttention(4, 2)]
    for attention in attentions:
        for valid in (None, torch.full((batch,), keys)):
            output, gradients = value_and_gradients(attention, (X, Y, Y), valid_lens=valid)
            assert output.shape == (batch, queries, 4)
            assert keys or not output.any()
            assert all(gradient.isfinite().all() for gradient in gradients)


@every_form
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_has_no_nan(form, dtype):
    valid = torch.tensor([0, 3])
    inputs = [normal(BATCH, n, 8, dtype=dtype) for n in (QUERIES, KEYS, KEYS)]
    attentions = [form.DotProductAttention(), form.AdditiveAttention(8)]
    attentions += [form.BilinearAttention(8, 8), form.MultiHeadAttention(8, 2, bias=True)]
    for attention in attentions:
        expected = attention.double()(*(t.double() for t in inputs), valid_lens=valid)
        found, gradients = value_and_gradients(attention.to(dtype), inputs, valid_lens=valid)
        assert found.dtype == dtype
        assert_close(found.double(), expected, atol=0.1, rtol=0.1)
        assert all(gradient.isfinite().all() for gradient in gradients)


@every_form
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_scores_stay_finite(form, dtype):
    queries, keys = normal(BATCH, QUERIES, 16, dtype=dtype), normal(BATCH, KEYS, 16, dtype=dtype)
    inputs = [100 * queries, 100 * keys, keys]
    scores = inputs[0].double() @ inputs[1].double().mT / 4
    assert scores.abs().max() > 1e4
    for valid in (None, torch.tensor([2, 0])):
        output, gradients = value_and_gradients(
            form.DotProductAttention(), inputs, valid_lens=valid
        )
        assert output.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)
        weights = form.masked_softmax(scores.to(dtype), valid)
        assert weights.isfinite().all()
        assert weights.amax(dim=-1)[0].min() > 0.4


@every_form
def test_strided_inputs_are_the_same_and_stay_as_they_are(form):
    inputs = [normal(8, n, BATCH).transpose(0, 2)[..., ::2] for n in (QUERIES, KEYS, KEYS)]
    whole = [tensor.contiguous() for tensor in inputs]
    assert not any(tensor.is_contiguous() for tensor in inputs)
    lengths = torch.tensor([[3, 9], [0, 9]])[:, 0]
    attentions = [form.DotProductAttention(), form.AdditiveAttention(4)]
    for attention in [*attentions, form.MultiHeadAttention(4, 2, max_len=9)]:
        assert_close(attention(*inputs, lengths), attention(*whole, lengths))
        assert_close(inputs, whole, rtol=0, atol=0)


@every_form
def test_weights_are_dropped_in_training_only(form):
    X = torch.eye(64)[None]
    made = [form.DotProductAttention(0.5), form.AdditiveAttention(64, 0.5)]
    for attention in [*made, form.BilinearAttention(64, 64, 0.5)]:
        weights = attention(X, X, X)  # the values are one-hot
        assert 0.4 < (weights == 0).float().mean() < 0.6
        kept = weights != 0
        assert_close(weights[kept], 2 * attention.eval()(X, X, X)[kept])
        assert torch.equal(attention(X, X, X), attention(X, X, X))


def torchs(num_hiddens, num_heads, bias=True):
    return stirred(nn.MultiheadAttention(num_hiddens, num_heads, bias=bias, batch_first=True))


@every_form
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_heads", [1, 2, 6])
@pytest.mark.parametrize("how", ["plain", "padding", "causal", "both", "mask"])
def test_multi_head_attention_is_torchs(form, bias, num_heads, how):
    theirs = torchs(6, num_heads, bias)
    ours = form.MultiHeadAttention(6, num_heads, bias=bias)
    load(ours, attention_tensors(theirs, lambda p: p.data))
    valid, mask = torch.tensor([5, 2]), normal(QUERIES, KEYS) > 0
    mask[:, 0] = True
    later, padding = ~causal_mask(QUERIES, KEYS), ~length_mask(valid, KEYS)
    how_ours, how_theirs = {
        "plain": ({}, {}),
        "padding": ({"valid_lens": valid}, {"key_padding_mask": padding}),
        "causal": ({"causal": True}, {"attn_mask": later}),
        "both": (
            {"valid_lens": valid, "causal": True},
            {"attn_mask": later, "key_padding_mask": padding},
        ),
        "mask": ({"valid_lens": mask}, {"attn_mask": ~mask}),
    }[how]
    inputs = [normal(BATCH, n, 6) for n in (QUERIES, KEYS, KEYS)]
    direction = normal(BATCH, QUERIES, 6)
    given_ours, given_theirs = leaves(*inputs), leaves(*inputs)
    expected, _ = theirs(*given_theirs, **how_theirs)
    found = ours(*given_ours, **how_ours)
    assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (found * direction).sum().backward()
    (expected * direction).sum().backward()
    for a, b in zip(given_ours, given_theirs, strict=True):
        assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-5)
    gradients = attention_tensors(theirs, lambda p: p.grad)
    assert_close(tensors_of(ours, lambda p: p.grad), gradients, atol=1e-5, rtol=1e-5)


@every_form
@pytest.mark.parametrize("num_kv_heads", [1, 2, 3, 6])
def test_shared_keys_are_keys_repeated_for_each_head(form, num_kv_heads):
    grouped = stirred(form.MultiHeadAttention(12, 6, bias=True, num_kv_heads=num_kv_heads))
    whole = form.MultiHeadAttention(12, 6, bias=True)

    def repeated(p, name):
        if not name.startswith(("W_k", "W_v")):
            return p
        turned = p.T if form is scratch and p.dim() == 2 else p
        turned = turned.unflatten(0, (num_kv_heads, 2)).repeat_interleave(6 // num_kv_heads, dim=0)
        turned = turned.flatten(0, 1)
        return turned.T if form is scratch and p.dim() == 2 else turned

    state = grouped.state_dict()
    whole.load_state_dict({name: repeated(p, name) for name, p in state.items()})
    X, Y = normal(BATCH, QUERIES, 12), normal(BATCH, KEYS, 12)
    for how in ({}, {"valid_lens": torch.tensor([1, 4])}, {"causal": True}):
        assert_close(grouped(X, Y, Y, **how), whole(X, Y, Y, **how), atol=1e-5, rtol=1e-5)
    keys, values = grouped.remember(Y, Y)
    assert keys.shape == values.shape == (BATCH, num_kv_heads, KEYS, 2)


@every_form
@pytest.mark.parametrize("max_len", [None, 7])
@pytest.mark.parametrize("num_kv_heads", [None, 2, 1])
@pytest.mark.parametrize("cuts", [(1,) * 7, (3, 1, 3), (7,), (6, 1)])
def test_step_by_step_it_finds_what_it_finds_at_once(form, max_len, num_kv_heads, cuts):
    attention = form.MultiHeadAttention(8, 4, num_kv_heads=num_kv_heads, max_len=max_len)
    X = normal(BATCH, 7, 8)
    whole, memory, found = attention(X, X, X, causal=True), None, []
    for part in X.split(cuts, dim=1):
        Y, memory = attention.go_on(part, memory)
        found.append(Y)
    assert_close(torch.cat(found, dim=1), whole, atol=1e-6, rtol=1e-5)
    assert_close(memory, attention.remember(X, X))


@every_form
def test_joining_undoes_splitting(form):
    attention, X = form.MultiHeadAttention(6, 3), normal(2, 5, 6)
    parts = attention.split(X)
    assert parts.shape == (2, 3, 5, 2)
    assert torch.equal(parts[:, 1], X[..., 2:4])
    assert torch.equal(attention.join(parts), X)


HEADS_REFUSED = {
    "num_hiddens=10 cannot be shared by num_heads=4: pass a multiple of 4, such as 12": (10, 4),
    "num_hiddens=3 cannot be shared by num_heads=5: pass a multiple of 5, such as 5": (3, 5),
    "num_heads=4 query heads cannot share num_kv_heads=3": (8, 4, 0.0, False, 3),
    "num_heads=4 query heads cannot share num_kv_heads=8": (8, 4, 0.0, False, 8),
    "num_heads wants a whole number of at least 1, got 0": (8, 0),
    "num_heads wants a whole number of at least 1, got -2": (8, -2),
    "num_hiddens wants a whole number of at least 1, got 0": (0, 1),
    "num_kv_heads wants a whole number of at least 1, got 0": (8, 4, 0.0, False, 0),
    "num_kv_heads wants a whole number of at least 1, got -4": (8, 4, 0.0, False, -4),
    "dropout wants a number from 0 to 1, got 1.5": (8, 4, 1.5),
}


@every_form
@pytest.mark.parametrize("told", HEADS_REFUSED)
def test_r25_heads_that_cannot_share_get_one_line_with_both_numbers(form, told):
    with pytest.raises(UsageError, match=re.escape(told)) as error:
        form.MultiHeadAttention(*HEADS_REFUSED[told])
    assert "\n" not in str(error.value)


@every_form
def test_inputs_of_another_width_get_one_line(form):
    attention, X = form.MultiHeadAttention(6, 2), normal(2, 3, 4)
    told = "queries of shape (batch, steps, 6), got (2, 3, 4): pass num_hiddens=4"
    with pytest.raises(UsageError, match=re.escape(told)):
        attention(X, X, X)
    Y, unchecked = normal(2, 3, 6), inspect.unwrap(form.MultiHeadAttention.forward)
    with pytest.raises(UsageError, match="got 3 keys and 2 values"):
        unchecked(attention, Y, Y, Y[:, :2])


@every_form
def test_an_attention_moves_compiles_to_a_graph_and_is_saved(form):
    attention = form.MultiHeadAttention(8, 2, num_kv_heads=1, max_len=9).eval()
    X, lengths = normal(2, 5, 8), torch.tensor([2, 5])
    exported = torch.export.export(attention, (X, X, X, lengths), strict=False)
    assert_close(exported.module()(X, X, X, lengths), attention(X, X, X, lengths))
    other = form.MultiHeadAttention(8, 2, num_kv_heads=1, max_len=9)
    other.load_state_dict(attention.state_dict())
    assert torch.equal(other(X, X, X, lengths), attention(X, X, X, lengths))
    meta = attention.to("meta")(*(X.to("meta"),) * 3, lengths.to("meta"))
    assert meta.shape == (2, 5, 8)
