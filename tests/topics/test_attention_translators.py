"""Translators with attention beside their other form, slow searches, and themselves changed."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.topics.attending import stirred
from torch.testing import assert_close

from freedive.core.errors import UsageError
from freedive.parity import copy_weights, exchange
from freedive.topics.attention.bahdanau import Bahdanau, BahdanauScratch
from freedive.topics.attention.masks import length_mask
from freedive.topics.seq2seq.decoding import Task, beam_search, greedy_search
from freedive.topics.transformer.blocks import init_transformer
from freedive.topics.transformer.gpt import GPT, GPTScratch
from freedive.topics.transformer.transformer import Transformer, TransformerScratch

KINDS = ["learnt", "sinusoidal", "rotary"]
TRANSLATORS = [Transformer, TransformerScratch, Bahdanau, BahdanauScratch]
BATCH, STEPS, SOURCE, VOCAB, ROOM = 3, 5, 6, 11, 12
LENGTHS = torch.tensor([6, 2, 4])
# model arguments: source and target have the same eleven tokens
MARKS = {"src_pad": 0, "tgt_pad": 0, "bos": 1, "eos": 2, "num_steps": SOURCE}
SMALL = {
    Transformer: {"num_hiddens": 16, "ffn_num_hiddens": 12, "num_heads": 2, "dropout": 0.0},
    Bahdanau: {"embed_size": 6, "num_hiddens": 8, "num_layers": 2, "dropout": 0.0},
}


def translator(form, **more):
    base = Transformer if issubclass(form, Transformer) else Bahdanau
    torch.manual_seed(0)
    return form(VOCAB, VOCAB, **MARKS, **{**SMALL[base], **more}).eval()


def sentences():
    """Rows of source tokens, padded, and rows that a decoder is given."""
    source = torch.randint(3, VOCAB, (BATCH, SOURCE))
    source = source.where(length_mask(LENGTHS, SOURCE), 0)
    return source, torch.randint(3, VOCAB, (BATCH, STEPS))


@pytest.mark.parametrize(("one", "other"), [TRANSLATORS[:2], TRANSLATORS[2:]])
@pytest.mark.parametrize("norm_first", [True, False])
def test_both_forms_of_a_translator_agree(one, other, norm_first):
    more = {"norm_first": norm_first, "bias": True} if one is Transformer else {}
    models = [translator(form, **more) for form in (one, other)]
    copy_weights(*models)
    (source, given), label = sentences(), torch.randint(VOCAB, (BATCH, STEPS))
    outputs = [model(source, given, LENGTHS) for model in models]
    assert_close(*outputs, atol=1e-5, rtol=1e-5)
    gradients = [
        torch.autograd.grad(model.loss(Y, label), list(model.parameters()))
        for model, Y in zip(models, outputs, strict=True)
    ]
    assert_close(exchange(*models, gradients[0]), list(gradients[1]), atol=1e-5, rtol=1e-4)
    assert models[0].translate(source, LENGTHS) == models[1].translate(source, LENGTHS)


def anew(model):
    """A step that reads the sentence and all that is written so far from the beginning."""

    def step(tokens, state):
        source, lengths, written = state
        written = torch.cat([written, tokens[:, None]], dim=1)
        logits = model(source, written, lengths)[:, -1]
        logits[:, [model.tgt_pad, model.bos]] = -torch.inf
        return logits.log_softmax(dim=-1), (source, lengths, written)

    return step


@pytest.mark.parametrize("form", TRANSLATORS)
@pytest.mark.parametrize("beam", [1, 3])
def test_translations_are_those_of_a_search_without_a_cache(form, beam):
    model, (source, _) = translator(form), sentences()
    stirred(model)
    state = (source, LENGTHS, source[:, :0])
    with torch.no_grad():
        task = Task(anew(model), state, model.bos, model.eos, SOURCE)
        expected = greedy_search(task) if beam == 1 else beam_search(task, beam)
    assert model.translate(source, LENGTHS, beam) == expected.best(model.eos)


@pytest.mark.parametrize("form", TRANSLATORS)
def test_r21_a_decoder_says_step_by_step_what_it_says_at_once(form):
    model, (source, given) = stirred(translator(form)), sentences()
    with torch.no_grad():
        whole = model(source, given, LENGTHS)
        for cuts in ((1,) * STEPS, (2, 3)):
            state, found = model.init_state(source, LENGTHS), []
            for part in given.split(cuts, dim=1):
                logits, state = model.decoder(part, state)
                assert all(len(tensor) == BATCH for tensor in state)
                found.append(logits)
            assert_close(torch.cat(found, dim=1), whole, atol=1e-5, rtol=1e-5)


def test_a_transformer_writes_no_more_than_it_has_positions_for():
    model, (source, _) = translator(Transformer), sentences()
    assert len(model.translate(source, LENGTHS, max_len=SOURCE)) == BATCH
    with pytest.raises(UsageError, match="max_len=7 is more than the num_steps=6") as error:
        model.translate(source, LENGTHS, max_len=7)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="sentences of 6 tokens, <eos> included, got one of 7"):
        model.translate(F.pad(source, (0, 3)), LENGTHS + 1)


def test_the_beginning_is_xaviers_and_of_equal_size_with_positions():
    model = translator(Transformer, num_hiddens=128, num_heads=4, bias=True)
    init_transformer(model)
    for name, parameter in model.named_parameters():
        if "embedding" in name:
            assert parameter.std().item() == pytest.approx(128**-0.5, rel=0.1)
        elif parameter.dim() == 2:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        elif name.endswith("bias"):
            assert not parameter.any()
    vectors = model.encoder.tokens.embedding.weight * model.encoder.tokens.scale
    assert vectors.std().item() == pytest.approx(1.0, rel=0.1)


few = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("form", TRANSLATORS)
def test_c99_no_later_word_changes_what_a_decoder_said(form):
    model, (source, _) = stirred(translator(form)), sentences()

    @few
    @given(seed=seeds, length=st.integers(2, SOURCE), data=st.data())
    def holds(seed, length, data):
        t = data.draw(st.integers(1, length - 1))
        chance = torch.Generator().manual_seed(seed)
        given_ = torch.randint(VOCAB, (BATCH, length), generator=chance)
        changed = given_.clone()
        changed[:, t:] = (changed[:, t:] + data.draw(st.integers(1, VOCAB - 1))) % VOCAB
        with torch.no_grad():
            before, after = (model(source, words, LENGTHS) for words in (given_, changed))
        assert_close(after[:, :t], before[:, :t], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(after[:, t], before[:, t], atol=1e-5)

    holds()


@pytest.mark.parametrize("form", TRANSLATORS)
def test_no_padding_of_the_source_changes_anything(form):
    model, (_, given_) = stirred(translator(form)), sentences()

    @few
    @given(seed=seeds, width=st.integers(1, SOURCE), data=st.data())
    def holds(seed, width, data):
        chance = torch.Generator().manual_seed(seed)
        source = torch.randint(VOCAB, (BATCH, width), generator=chance)
        drawn = data.draw(st.lists(st.integers(1, width), min_size=BATCH, max_size=BATCH))
        lengths = torch.tensor(drawn)
        real = length_mask(lengths, width)
        other = source.where(real, data.draw(st.integers(0, VOCAB - 1)))
        longer = F.pad(other, (0, SOURCE - width), value=5)
        with torch.no_grad():
            expected = model(source, given_, lengths)
            (encoded, *_), (encoded_other, *_) = (
                model.encoder(rows, lengths) for rows in (source, other)
            )
            assert_close(model(other, given_, lengths), expected, atol=1e-5, rtol=1e-5)
            assert_close(model(longer, given_, lengths), expected, atol=1e-5, rtol=1e-5)
        seen = real if issubclass(form, Transformer) else real.T
        assert_close(encoded_other[seen], encoded[seen], atol=1e-5, rtol=1e-5)

    holds()


@pytest.mark.parametrize("form", [Bahdanau, BahdanauScratch])
def test_a_bahdanau_decoder_is_its_formula_step_by_step(form):
    model, (source, given_) = stirred(translator(form)), sentences()
    outputs, hidden = model.encoder(source, LENGTHS)
    decoder, found = model.decoder, model(source, given_, LENGTHS)
    values, score = outputs.transpose(0, 1), decoder.cross_attention
    for t in range(STEPS):
        query = hidden[-1]  # the top layer's state before the word; at first the encoder's last
        weights = torch.zeros(BATCH, SOURCE)
        for n, length in enumerate(LENGTHS.tolist()):
            scores = [
                score.w_v(torch.tanh(score.W_q(query[n]) + score.W_k(values[n, j])))
                for j in range(length)
            ]
            weights[n, :length] = torch.cat(scores).softmax(dim=0)
        context = torch.einsum("nj,njh->nh", weights, values)
        X = torch.cat([decoder.embedding(given_[:, t]), context], dim=1)
        output, hidden = decoder.rnn(X[None], hidden)
        assert_close(decoder.head(output[0]), found[:, t], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", TRANSLATORS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_translators_and_gpts_in_half_precision_have_no_nan(form, dtype):
    model, (source, given_) = translator(form), sentences()
    expected = model(source, given_, LENGTHS)
    found = model.to(dtype)(source, given_, LENGTHS)
    assert found.dtype == dtype
    assert_close(found.float(), expected, atol=0.1, rtol=0.1)
    assert len(model.translate(source, LENGTHS, beam=2)) == BATCH
    form = GPTScratch if form in (TransformerScratch, BahdanauScratch) else GPT
    for positions in KINDS:
        writer = form(VOCAB, ROOM, 16, 2, 4, 2, positions, dropout=0.0).to(dtype)
        logits = writer(source)
        assert logits.dtype == dtype
        assert logits.isfinite().all()
        assert len(list(writer.generate([1], 15))) == 15
