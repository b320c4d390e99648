"""Transformers beside torch's own layers, beside their other form, and step by step."""

import math

import pytest
import torch
import torch.nn.functional as F
from tests.topics.attending import decoder_tensors, encoder_tensors, load, stirred, tensors_of
from torch import nn
from torch.testing import assert_close

from freedive.parity import copy_weights, exchange
from freedive.topics.attention.masks import causal_mask, length_mask
from freedive.topics.attention.positions import SinusoidalPositions
from freedive.topics.transformer import concise, scratch
from freedive.topics.transformer.blocks import (
    AddNorm,
    CausalBlock,
    DecoderBlock,
    EncoderBlock,
    PositionWiseFFN,
    Shape,
)
from freedive.topics.transformer.encoder_decoder import TransformerDecoder, TransformerEncoder

FORMS = [scratch.PARTS, concise.PARTS]
NAMES = ["scratch", "concise"]
every_form = pytest.mark.parametrize("parts", FORMS, ids=NAMES)
every_norm = pytest.mark.parametrize("norm_first", [True, False], ids=["pre", "post"])
every_activation = pytest.mark.parametrize("activation", ["relu", "gelu"])
BATCH, STEPS, SOURCE, WIDTH, VOCAB, ROOM = 3, 5, 6, 8, 11, 12
LENGTHS = torch.tensor([6, 2, 4])


def normal(*shape):
    return torch.randn(*shape)


def shape(norm_first=False, activation="relu", **more):
    return Shape(WIDTH, 12, 2, 0.0, norm_first, bias=True, activation=activation, **more)


def torchs(kind, norm_first, activation):
    """One of torch's layers, with every parameter at random."""
    layer = kind(WIDTH, 2, 12, 0.0, activation, norm_first=norm_first, batch_first=True)
    return stirred(layer)


def assert_alike(ours, theirs, inputs, pick):
    """Outputs and gradients, of inputs and of parameters, by a random direction.

    Args:
        ours, theirs: a module and what calls it, for both.
        inputs: of both.
        pick: takes tensors of their parameters in the order of ours.
    """
    given = [[X.clone().requires_grad_() for X in inputs] for _ in range(2)]
    outputs = [call(*X) for (_, call), X in zip((ours, theirs), given, strict=True)]
    assert_close(*outputs, atol=1e-5, rtol=1e-5)
    direction = normal(*outputs[0].shape)
    for output in outputs:
        (output * direction).sum().backward()
    for a, b in zip(*given, strict=True):
        assert_close(a.grad, b.grad, atol=2e-5, rtol=1e-4)
    found = tensors_of(ours[0], lambda p: p.grad)
    expected = pick(theirs[0], lambda p: p.grad)
    assert_close(found, expected, atol=1e-4, rtol=1e-4)


@every_form
@every_norm
@every_activation
@pytest.mark.parametrize("how", ["plain", "padding", "mask"])
def test_an_encoder_block_is_torchs(parts, norm_first, activation, how):
    theirs = torchs(nn.TransformerEncoderLayer, norm_first, activation)
    ours = EncoderBlock(parts, shape(norm_first, activation))
    load(ours, encoder_tensors(theirs, lambda p: p.data))
    mask = normal(SOURCE, SOURCE) > 0
    mask.fill_diagonal_(True)
    valid, how_theirs = {
        "plain": (None, {}),
        "padding": (LENGTHS, {"src_key_padding_mask": ~length_mask(LENGTHS, SOURCE)}),
        "mask": (mask, {"src_mask": ~mask}),
    }[how]
    assert_alike(
        (ours, lambda X: ours(X, valid)),
        (theirs, lambda X: theirs(X, **how_theirs)),
        [normal(BATCH, SOURCE, WIDTH)],
        encoder_tensors,
    )


@every_form
@every_norm
@every_activation
def test_a_causal_block_is_torchs_encoder_with_a_causal_mask(parts, norm_first, activation):
    theirs = torchs(nn.TransformerEncoderLayer, norm_first, activation)
    ours = CausalBlock(parts, shape(norm_first, activation))
    load(ours, encoder_tensors(theirs, lambda p: p.data))
    assert_alike(
        (ours, lambda X: ours(X)[0]),
        (theirs, lambda X: theirs(X, ~causal_mask(SOURCE, SOURCE), is_causal=True)),
        [normal(BATCH, SOURCE, WIDTH)],
        encoder_tensors,
    )


@every_form
@every_norm
@every_activation
@pytest.mark.parametrize("padded", [False, True])
def test_a_decoder_block_is_torchs(parts, norm_first, activation, padded):
    theirs = torchs(nn.TransformerDecoderLayer, norm_first, activation)
    ours = DecoderBlock(parts, shape(norm_first, activation))
    load(ours, decoder_tensors(theirs, lambda p: p.data))
    padding = ~length_mask(LENGTHS, SOURCE) if padded else None

    def call(X, source):
        memory = ours.cross_attention.remember(source, source)
        return ours(X, memory, LENGTHS if padded else None)[0]

    assert_alike(
        (ours, call),
        (
            theirs,
            lambda X, source: theirs(
                X, source, ~causal_mask(STEPS, STEPS), memory_key_padding_mask=padding
            ),
        ),
        [normal(BATCH, STEPS, WIDTH), normal(BATCH, SOURCE, WIDTH)],
        decoder_tensors,
    )


@every_form
@every_norm
def test_a_stack_of_encoder_blocks_is_torchs(parts, norm_first):
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 12, 0.0, norm_first=norm_first, batch_first=True)
    norm = nn.LayerNorm(WIDTH) if norm_first else None
    theirs = stirred(nn.TransformerEncoder(layer, 3, norm, enable_nested_tensor=False))
    ours = stirred(TransformerEncoder(parts, shape(norm_first), 3, VOCAB, ROOM))
    for block, theirs_block in zip(ours.blocks, theirs.layers, strict=True):
        load(block, encoder_tensors(theirs_block, lambda p: p.data))
    if norm_first:
        ours.norm.load_state_dict(norm.state_dict())
        load(ours.norm, theirs.norm.parameters())
    tokens = torch.randint(VOCAB, (BATCH, SOURCE))
    vectors = ours.tokens.embedding(tokens) * math.sqrt(WIDTH)
    vectors = vectors + SinusoidalPositions(WIDTH, ROOM).P[:SOURCE]
    expected = theirs(vectors, src_key_padding_mask=~length_mask(LENGTHS, SOURCE))
    (found,) = ours(tokens, LENGTHS)
    real = length_mask(LENGTHS, SOURCE)
    assert_close(found[real], expected[real], atol=2e-5, rtol=1e-4)
    direction = normal(*found.shape) * real[..., None]
    (found * direction).sum().backward()
    (expected * direction).sum().backward()
    for block, theirs_block in zip(ours.blocks, theirs.layers, strict=True):
        gradients = encoder_tensors(theirs_block, lambda p: p.grad)
        assert_close(tensors_of(block, lambda p: p.grad), gradients, atol=1e-3, rtol=1e-3)


@every_form
@every_norm
def test_a_stack_of_decoder_blocks_is_torchs(parts, norm_first):
    layer = nn.TransformerDecoderLayer(WIDTH, 2, 12, 0.0, norm_first=norm_first, batch_first=True)
    norm = nn.LayerNorm(WIDTH) if norm_first else None
    theirs = stirred(nn.TransformerDecoder(layer, 2, norm))
    ours = stirred(TransformerDecoder(parts, shape(norm_first), 2, VOCAB, ROOM))
    for block, theirs_block in zip(ours.blocks, theirs.layers, strict=True):
        load(block, decoder_tensors(theirs_block, lambda p: p.data))
    if norm_first:
        load(ours.norm, theirs.norm.parameters())
    tokens, memory = torch.randint(VOCAB, (BATCH, STEPS)), normal(BATCH, SOURCE, WIDTH)
    expected = theirs(
        ours.tokens(tokens),
        memory,
        ~causal_mask(STEPS, STEPS),
        memory_key_padding_mask=~length_mask(LENGTHS, SOURCE),
    )
    found, _ = ours(tokens, ours.init_state((memory,), LENGTHS))
    assert_close(found, ours.head(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [EncoderBlock, CausalBlock, DecoderBlock])
@every_norm
@pytest.mark.parametrize("more", [{}, {"num_kv_heads": 1}, {"rotary_len": ROOM}])
def test_both_forms_of_a_block_agree(kind, norm_first, more):
    one, other = (kind(parts, shape(norm_first, "gelu", **more)) for parts in FORMS)
    copy_weights(stirred(one), other)
    X, source = normal(BATCH, STEPS, WIDTH), normal(BATCH, SOURCE, WIDTH)

    def call(block):
        if kind is EncoderBlock:
            return block(X, torch.tensor([5, 1, 0]))
        if kind is CausalBlock:
            return block(X)[0]
        return block(X, block.cross_attention.remember(source, source), LENGTHS)[0]

    outputs = [call(block) for block in (one, other)]
    assert_close(*outputs, atol=1e-5, rtol=1e-5)
    direction = normal(*outputs[0].shape)
    gradients = [
        torch.autograd.grad((Y * direction).sum(), list(block.parameters()))
        for Y, block in zip(outputs, (one, other), strict=True)
    ]
    assert_close(exchange(one, other, gradients[0]), list(gradients[1]), atol=1e-4, rtol=1e-4)


@every_form
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_norm
def test_blocks_in_half_precision_have_no_nan(parts, dtype, norm_first):
    X = normal(BATCH, STEPS, WIDTH)
    for kind in (EncoderBlock, CausalBlock, DecoderBlock):
        block = kind(parts, shape(norm_first, "gelu"))

        def call(X, block=block, kind=kind):
            if kind is DecoderBlock:
                memory = block.cross_attention.remember(X, X)
                return block(X, memory, torch.tensor([0, 2, 5]))[0]
            return block(X, torch.tensor([0, 2, 5])) if kind is EncoderBlock else block(X)[0]

        expected = call(X)
        block.to(dtype)
        found = call(X.to(dtype))
        assert found.dtype == dtype
        assert_close(found.float(), expected, atol=0.1, rtol=0.1)
        found.sum().backward()
        assert all(p.grad.isfinite().all() for p in block.parameters())


@every_form
@pytest.mark.parametrize("size", [(0, 3), (1, 1), (2, 0), (1, 0)])
def test_blocks_take_no_steps_and_no_examples(parts, size):
    X, source = normal(*size, WIDTH), normal(size[0], 4, WIDTH)
    assert EncoderBlock(parts, shape())(X).shape == X.shape
    assert CausalBlock(parts, shape())(X)[0].shape == X.shape
    block = DecoderBlock(parts, shape())
    assert block(X, block.cross_attention.remember(source, source))[0].shape == X.shape
    none = block.cross_attention.remember(source[:, :0], source[:, :0])
    assert block(X, none)[0].isfinite().all()  # nothing was read


@every_form
def test_a_block_goes_on_where_it_ended(parts):
    for make in (CausalBlock, DecoderBlock):
        block, X = make(parts, shape(rotary_len=ROOM)), normal(BATCH, STEPS, WIDTH)
        source = block.cross_attention.remember(X, X) if make is DecoderBlock else None
        more = () if source is None else (source, LENGTHS.clamp(max=STEPS))
        whole, memory = block(X, *more)
        found, before = [], None
        for part in X.split((2, 1, 2), dim=1):
            Y, before = block(part, *more, before=before)
            found.append(Y)
        assert_close(torch.cat(found, dim=1), whole, atol=1e-6, rtol=1e-5)
        assert_close(before, memory)


@every_form
@every_activation
def test_the_position_wise_network_is_its_formula(parts, activation):
    ffn, X = stirred(PositionWiseFFN(parts, 3, 5, 2, activation)), normal(2, 4, 3)
    ffn.requires_grad_(False)
    (W1, b1), (W2, b2) = (tensors_of(layer, lambda p: p) for layer in (ffn.dense1, ffn.dense2))
    sigma = {"relu": lambda x: max(x, 0.0), "gelu": lambda x: x * (1 + math.erf(x / 2**0.5)) / 2}
    found = ffn(X)
    assert found.shape == (2, 4, 2)
    for row, expected in zip(X.flatten(0, 1), found.flatten(0, 1), strict=True):
        hidden = [sigma[activation](float(w @ row + b)) for w, b in zip(W1, b1, strict=True)]
        assert_close(W2 @ torch.tensor(hidden) + b2, expected, atol=1e-5, rtol=1e-5)


@every_form
def test_add_and_norm_stand_where_they_are_told(parts):
    X, Y = normal(2, 3, WIDTH), normal(2, 3, WIDTH)
    pre, post = (AddNorm(parts, shape(norm_first)) for norm_first in (True, False))
    assert torch.equal(pre.after(X, Y), X + Y)
    assert_close(pre.before(X), F.layer_norm(X, (WIDTH,)))
    assert torch.equal(post.before(X), X)
    assert_close(post.after(X, Y), F.layer_norm(X + Y, (WIDTH,)))
    wide = Shape(WIDTH, 12, 2, 0.5)
    dropped = AddNorm(parts, wide).drop(torch.ones(100, WIDTH))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


@every_form
def test_attention_looks_at_no_padding_even_where_a_sentence_is_all_padding(parts):
    encoder = TransformerEncoder(parts, shape(), 2, VOCAB, ROOM)
    (found,) = encoder(torch.zeros(2, 4, dtype=torch.long), torch.tensor([0, 4]))
    assert found.isfinite().all()
