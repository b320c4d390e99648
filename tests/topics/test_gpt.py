"""GPT beside its other form, and with a cache beside itself without one."""

import inspect
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.topics.attending import stirred
from torch.testing import assert_close

from freedive.core.errors import UsageError
from freedive.parity import copy_weights, exchange
from freedive.topics.transformer.gpt import GPT, GPTScratch

GPTS = [GPT, GPTScratch]
NAMES = ["concise", "scratch"]
KINDS = ["learnt", "sinusoidal", "rotary"]
BATCH, VOCAB, ROOM = 3, 11, 12


def gpt(form=GPT, **more):
    sizes = {"num_hiddens": 16, "num_layers": 2, "num_heads": 4, "num_steps": ROOM}
    return stirred(form(VOCAB, **{**sizes, "dropout": 0.0, **more})).eval()


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize("num_kv_heads", [0, 2])
def test_gpt_is_the_same_block_by_block_in_both_forms(positions, num_kv_heads):
    one, other = (gpt(form, positions=positions, num_kv_heads=num_kv_heads) for form in GPTS)
    copy_weights(one, other)
    tokens = torch.randint(VOCAB, (BATCH, ROOM))
    hidden = [model.embedding(tokens) for model in (one, other)]
    hidden = [
        X if model.place is None else model.place(X)
        for X, model in zip(hidden, (one, other), strict=True)
    ]
    for blocks in zip(one.blocks, other.blocks, strict=True):
        hidden = [block(X)[0] for block, X in zip(blocks, hidden, strict=True)]
        assert_close(*hidden, atol=1e-4, rtol=1e-4)
    logits = [model(tokens) for model in (one, other)]
    assert_close(*logits, atol=1e-4, rtol=1e-4)
    assert_close(logits[0], one.head(one.norm(hidden[0])))
    losses = [model.loss(Y, tokens) for model, Y in zip((one, other), logits, strict=True)]
    gradients = [
        torch.autograd.grad(loss, list(model.parameters()))
        for loss, model in zip(losses, (one, other), strict=True)
    ]
    assert_close(exchange(one, other, gradients[0]), list(gradients[1]), atol=1e-4, rtol=1e-3)
    assert all(gradient.any() for gradient in gradients[0])


@pytest.mark.parametrize("form", GPTS, ids=NAMES)
@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize("num_kv_heads", [0, 2, 1])
def test_cached_logits_are_those_without_a_cache(form, positions, num_kv_heads):
    model = gpt(form, positions=positions, num_kv_heads=num_kv_heads)
    tokens = torch.randint(VOCAB, (ROOM, BATCH))
    with torch.no_grad():
        whole, after = model.read(tokens)
        for cuts in ((1,) * ROOM, (5, 1, 6), (11, 1)):
            found, state = [], None
            for part in tokens.split(cuts):
                logits, state = model.read(part, state)
                found.append(logits)
            assert_close(torch.cat(found), whole, atol=1e-5, rtol=1e-5)
            assert_close(state, after, atol=1e-5, rtol=1e-5)
        for length in (1, 4):
            assert_close(model.read(tokens[:length])[0], whole[:length], atol=1e-5, rtol=1e-5)
    assert len(state) == 2 * len(model.blocks)
    assert state[0].shape == (BATCH, num_kv_heads or 4, ROOM, 4)


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize("prompt", [1, ROOM])
def test_greedy_writing_is_that_of_a_slow_loop_and_goes_on_beyond_the_context(positions, prompt):
    model = gpt(positions=positions)
    text = torch.randint(VOCAB, (prompt,)).tolist()
    written = list(model.generate(text, 20, temperature=0))
    assert len(written) == 20
    whole, begin = list(text), 0
    for token in written:
        if len(whole) - begin > ROOM:  # the later half is read anew
            begin = len(whole) - (ROOM + 1) // 2
        logits = model(torch.tensor([whole[begin:]]))[0, -1]
        assert token == int(logits.argmax())
        whole.append(token)


def test_too_long_a_text_gets_one_line_with_both_numbers():
    model, tokens = gpt(), torch.zeros(ROOM, 1, dtype=torch.long)
    for call, told in (
        (lambda: model(torch.zeros(2, 13, dtype=torch.long)), "13 tokens are more than the num_st"),
        (lambda: model.read(tokens[:3], model.read(tokens)[1]), "15 tokens are more than the num"),
        (lambda: model.generate([0] * 13), "a prompt of 13 tokens is longer than the 12 that"),
        (lambda: model.generate([]), "a prompt wants at least one token"),
        (lambda: model.generate([VOCAB]), f"tokens are numbers from 0 to {VOCAB - 1}"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)) as error:
            call()
        assert "12" in str(error.value) or "13" not in told
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "more",
    [{"num_heads": 3}, {"num_kv_heads": 3}, {"positions": "relative"}, {"num_layers": 0}],
)
def test_r25_a_gpt_that_cannot_be_gets_one_line(more):
    with pytest.raises(UsageError) as error:
        gpt(**more)
    assert str(next(iter(more.values()))) in str(error.value)


@pytest.mark.parametrize("positions", KINDS)
def test_an_odd_width_of_heads_works(positions):
    model = gpt(num_hiddens=9, num_heads=3, positions=positions)
    tokens = torch.randint(VOCAB, (2, ROOM))
    assert model(tokens).isfinite().all()
    assert gpt(num_hiddens=1, num_heads=1, positions=positions)(tokens).shape == (2, ROOM, VOCAB)


def test_all_that_gpt_needs_is_saved():
    for positions in KINDS:
        model, other = gpt(positions=positions), gpt(positions=positions)
        tokens = torch.randint(VOCAB, (2, ROOM))
        other.load_state_dict(model.state_dict())
        assert torch.equal(other(tokens), model(tokens))


few = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("form", GPTS, ids=NAMES)
@pytest.mark.parametrize("positions", KINDS)
def test_c99_no_later_token_changes_what_gpt_said(form, positions):
    model = gpt(form, positions=positions, num_kv_heads=2)

    @few
    @given(seed=seeds, length=st.integers(2, ROOM), data=st.data())
    def holds(seed, length, data):
        t = data.draw(st.integers(1, length - 1))
        tokens = torch.randint(VOCAB, (2, length), generator=torch.Generator().manual_seed(seed))
        changed = tokens.clone()
        changed[:, t:] = (changed[:, t:] + data.draw(st.integers(1, VOCAB - 1))) % VOCAB
        with torch.no_grad():
            before, after = model(tokens), model(changed)
        assert_close(after[:, :t], before[:, :t], atol=1e-6, rtol=1e-6)
        assert not torch.allclose(after[:, t], before[:, t], atol=1e-4)

    holds()


def test_all_arguments_of_a_gpt_are_told_to_its_blocks():
    model = inspect.signature(GPT.__init__).parameters
    assert {"num_kv_heads", "positions", "dropout"} <= set(model)
    block = gpt(num_kv_heads=2, dropout=0.25).blocks[0]
    assert block.self_attention.num_kv_heads == 2
    assert block.self_attention.rotary.max_len == ROOM
    assert block.addnorm1.norm_first
    assert block.addnorm1.drop.p == 0.25
    assert gpt(positions="learnt").blocks[0].self_attention.rotary is None
