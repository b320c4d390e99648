"""The encoder–decoder beside torch's packed sequences, slow loops, and itself step by step."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.translation import TranslationData
from freedive.parity import copy_weights, exchange
from freedive.topics.seq2seq import concise, scratch
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoder, EncoderDecoder
from freedive.topics.seq2seq.seq2seq import Seq2Seq, Seq2SeqScratch

FORMS = [Seq2Seq, Seq2SeqScratch]
every_form = pytest.mark.parametrize("form", FORMS)
TINY = {"embed_size": 8, "num_hiddens": 16, "num_layers": 2, "dropout": 0.0}
WHO = {"i": "je", "you": "tu", "we": "nous", "they": "elles"}
DO = {"see": "vois", "love": "aime", "want": "veux", "eat": "mange", "do not eat": "ne mange pas"}
WHAT = {"it": "ça", "bread": "du pain", "red apples": "des pommes rouges"}


class Sentences(TranslationData):
    """Sixty pairs of unequal lengths, one word or more for each word."""

    name = "sentences"

    def __init__(self, batch_size=16, num_steps=9, num_train=48, num_val=12, min_freq=0,
                 split="random", split_seed=0):  # fmt: skip
        super().__init__(batch_size, num_steps, num_train, num_val, min_freq, split, split_seed)

    def read(self):
        return [
            (f"{one[0]} {two[0]} {three[0]}.", f"{one[1]} {two[1]} {three[1]}.")
            for one, two, three in itertools.product(WHO.items(), DO.items(), WHAT.items())
        ]


@pytest.fixture(scope="module")
def data():
    return Sentences()


def built(form, data, **more):
    torch.manual_seed(0)
    return form(**data.model_arguments(), **{**TINY, **more})


def batch_of(data):
    return next(iter(data.get_dataloader(train=False)))


def twins(data, **more):
    """Both forms with equal weights."""
    one, other = built(Seq2Seq, data, **more), built(Seq2SeqScratch, data, **more)
    copy_weights(one, other)
    return one, other


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_both_forms_agree_in_outputs_loss_and_gradients(data, num_layers):
    batch, (one, other) = batch_of(data), twins(data, num_layers=num_layers)
    outputs = [model(*batch[:-1]) for model in (one, other)]
    assert torch.allclose(*outputs, atol=1e-6)
    for model, output in zip((one, other), outputs, strict=True):
        model.loss(output, batch[-1]).backward()
    turned = exchange(other, one, [q.grad for q in other.parameters()])
    for (name, p), gradient in zip(one.named_parameters(), turned, strict=True):
        assert torch.allclose(p.grad, gradient, atol=1e-6), name
        assert gradient.any(), name


def test_both_forms_translate_alike(data):
    source, _, lengths, _ = batch_of(data)
    one, other = twins(data)
    for beam in (1, 3):
        assert one.translate(source, lengths, beam) == other.translate(source, lengths, beam)


@pytest.mark.parametrize("layers", [concise, scratch])
def test_c64_the_shapes_are_the_books(layers):
    encoder = layers.Seq2SeqEncoder(10, 8, 16, 2, 0.0)
    decoder = layers.Seq2SeqDecoder(10, 8, 16, 2, 0.0)
    X, lengths = torch.zeros(4, 9, dtype=torch.long), torch.full((4,), 9)
    outputs, hidden = encoder(X, lengths)
    assert outputs.shape == (9, 4, 16)
    assert hidden.shape == (2, 4, 16)
    assert torch.equal(outputs[-1], hidden[-1])
    logits, state = decoder(X, decoder.init_state((outputs, hidden), lengths))
    assert logits.shape == (4, 9, 10)
    assert [part.shape for part in state] == [(4, 16), (4, 2, 16)]
    assert sum(p.numel() for p in encoder.parameters()) == 2960
    assert sum(p.numel() for p in decoder.parameters()) == 3898


def test_the_encoder_reads_as_torch_reads_packed_sequences(data):
    one, other = twins(data)
    source, _, lengths, _ = batch_of(data)
    assert lengths.min() < lengths.max()
    whole = nn.GRU(8, 16, 2)
    for p, q in zip(whole.parameters(), one.encoder.rnn.parameters(), strict=True):
        p.data.copy_(q)
    embs = one.encoder.embedding(source.T)
    packed = pack_padded_sequence(embs, lengths, enforce_sorted=False)
    outputs, expected = whole(packed)
    outputs, _ = pad_packed_sequence(outputs)
    real = torch.arange(len(outputs))[:, None] < lengths
    for model in (one, other):
        found, hidden = model.encoder(source, lengths)
        assert torch.allclose(hidden, expected, atol=1e-6)
        assert torch.allclose(found[: len(outputs)][real], outputs[real], atol=1e-6)


@every_form
def test_padding_has_no_effect(data, form):
    model, (source, decoder_input, lengths, _) = built(form, data), batch_of(data)
    expected = model(source, decoder_input, lengths)
    other = source.clone()
    other[torch.arange(source.shape[1]) >= lengths[:, None]] = 0
    assert torch.equal(model(other, decoder_input, lengths), expected)
    wider = F.pad(source, (0, 3), value=model.src_pad)
    assert torch.allclose(model(wider, decoder_input, lengths), expected, atol=1e-6)
    for i in range(3):
        alone = model(source[i : i + 1, : lengths[i]], decoder_input[i : i + 1], lengths[i : i + 1])
        assert torch.allclose(alone[0], expected[i], atol=1e-6)


@every_form
def test_a_prediction_depends_on_earlier_words_only(data, form):
    model, (source, decoder_input, lengths, _) = built(form, data), batch_of(data)
    expected = model(source, decoder_input, lengths)
    changed = decoder_input.clone()
    changed[:, 4:] = 0
    found = model(source, changed, lengths)
    assert torch.allclose(found[:, :4], expected[:, :4], atol=1e-6)
    assert not torch.allclose(found[:, 4:], expected[:, 4:], atol=1e-3)


@every_form
def test_r19_the_loss_is_the_mean_over_real_tokens(data, form):
    model, batch = built(form, data), batch_of(data)
    logits, labels = torch.randn(12, 9, model.tgt_vocab_size, requires_grad=True), batch[-1]
    loss = model.loss(logits, labels)
    terms = [
        -logits[i, t].log_softmax(0)[labels[i, t]].item()
        for i, t in itertools.product(range(12), range(9))
        if labels[i, t] != model.tgt_pad
    ]
    assert loss.item() == pytest.approx(math.fsum(terms) / len(terms), rel=1e-5)
    assert int(model.weight(batch)) == len(terms) < labels.numel()
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[labels == model.tgt_pad].any()
    louder = torch.where((labels == model.tgt_pad)[..., None], 1e4 * logits, logits)
    assert model.loss(louder, labels).item() == pytest.approx(loss.item(), rel=1e-6)


@every_form
def test_an_epochs_loss_is_the_mean_over_its_tokens_however_batches_are_cut(form):
    data = Sentences(batch_size=5)
    model = built(form, data)
    row = Trainer(device="cpu", progress=False).validate(model, data)
    columns = data.columns[1]
    with torch.no_grad():
        logits = model(*columns[:-1])
    whole = float(model.loss(logits, columns[-1]))
    assert row["val_loss"] == pytest.approx(whole, rel=1e-5)
    assert row["val_ppl"] == pytest.approx(math.exp(whole), rel=1e-5)
    guesses, labels = logits.argmax(dim=-1).flatten().tolist(), columns[-1].flatten().tolist()
    real = [(g, y) for g, y in zip(guesses, labels, strict=True) if y != model.tgt_pad]
    assert row["val_acc"] == pytest.approx(sum(g == y for g, y in real) / len(real), rel=1e-5)


def test_padding_is_no_right_guess(data):
    model, labels = built(Seq2Seq, data), batch_of(data)[-1]
    right = F.one_hot(labels, model.tgt_vocab_size).float()
    assert model.accuracy(right, labels) == 1.0
    wrong = F.one_hot(torch.where(labels == model.tgt_pad, labels, model.bos), model.tgt_vocab_size)
    assert model.accuracy(wrong.float(), labels) == 0.0


@every_form
def test_r21_step_by_step_it_says_what_it_says_at_once(data, form):
    model, (source, decoder_input, lengths, _) = built(form, data), batch_of(data)
    with torch.no_grad():
        logits = model(source, decoder_input, lengths)
        logits[..., [model.tgt_pad, model.bos]] = -torch.inf
        state = model.init_state(source, lengths)
        context = state[0]
        for t in range(decoder_input.shape[1]):
            log_p, state = model.step(decoder_input[:, t], state)
            assert torch.allclose(log_p, logits[:, t].log_softmax(dim=-1), atol=1e-5)
            assert torch.equal(state[0], context)
            assert torch.allclose(log_p.exp().sum(dim=1), torch.ones(len(source)))


@every_form
def test_greedy_translation_is_that_of_a_slow_loop(data, form):
    model, (source, _, lengths, _) = built(form, data), batch_of(data)
    expected = []
    for i in range(len(source)):
        written = [model.bos]
        while len(written) <= model.num_steps and written[-1] != model.eos:
            given = torch.tensor([written])
            logits = model(source[i : i + 1], given, lengths[i : i + 1])[0, -1]
            logits[[model.tgt_pad, model.bos]] = -torch.inf
            written.append(int(logits.argmax()))
        expected.append([token for token in written[1:] if token != model.eos])
    assert model.translate(source, lengths) == expected
    shorter = model.translate(source, lengths, max_len=2)
    assert shorter == [row[:2] for row in expected]


def test_a_beam_never_finds_what_scores_less(data):
    model, (source, _, lengths, _) = built(Seq2Seq, data), batch_of(data)
    assert model.translate(source, lengths, beam=1) == model.translate(source, lengths)
    assert len(model.translate(source, lengths, beam=5)) == len(source)


def test_many_sentences_are_translated_in_parts(data, monkeypatch):
    model, (source, _, lengths, _) = built(Seq2Seq, data), batch_of(data)
    whole = [model.translate(source, lengths, beam) for beam in (1, 2, 9)]
    monkeypatch.setattr("freedive.topics.seq2seq.encoder_decoder.ROWS", 5)
    assert [model.translate(source, lengths, beam) for beam in (1, 2, 9)] == whole
    assert model.translate(source[:0], lengths[:0]) == []


@pytest.mark.parametrize("training", [True, False])
def test_e47_translating_leaves_no_trace(data, training):
    model = built(Seq2Seq, data, dropout=0.9).train(training)
    source, _, lengths, _ = batch_of(data)
    state = torch.get_rng_state()
    first = model.translate(source, lengths)
    assert model.translate(source, lengths) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training is training
    assert model.encoder.dropout.training is training
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(IndexError):
        model.translate(source[:, :1], lengths)  # shorter rows than the lengths say
    assert model.training is training


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s, n: (s, n, 0), "beam wants a whole number of at least 1, got 0"),
        (lambda s, n: (s, n, 1, 0), "max_len wants a whole number of at least 1, got 0"),
        (lambda s, n: (s, n * 0), "a sentence is empty: give each at least one word"),
        (lambda s, n: (F.pad(s, (0, 9)), n + 9), "made for sentences of 9 tokens, <eos> included"),
        (lambda s, n: (s + 1000, n), "encode the sentences with the vocabulary"),
        (lambda s, n: (s - 1000, n), "encode the sentences with the vocabulary"),
    ],
)
def test_what_cannot_be_translated_gets_one_line(data, change, told):
    model, (source, _, lengths, _) = built(Seq2Seq, data), batch_of(data)
    with pytest.raises(UsageError, match=told) as error:
        model.translate(*change(source, lengths))
    assert "\n" not in str(error.value)


@every_form
def test_it_learns_to_translate(form):
    data = Sentences(num_train=54, num_val=6)
    model = built(form, data, embed_size=16, num_hiddens=32, lr=0.02)
    trainer = Trainer(max_epochs=25, gradient_clip_val=1.0, seed=0, device="cpu", progress=False)
    history = trainer.fit(model, data)
    assert history.last["val_loss"] < 0.1 < history.epochs[0]["val_loss"]
    source, _, lengths, _ = data.columns[0]
    expected = [target.split() for _, target in data.pairs[0]]
    found = [data.tgt_vocab.to_tokens(row) for row in model.translate(source, lengths)]
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 50


def test_dropout_works_between_layers_in_training_only(data):
    batch = batch_of(data)
    for form in FORMS:
        model = built(form, data, dropout=0.5)
        assert not torch.equal(model(*batch[:-1]), model(*batch[:-1]))
        assert torch.equal(model.eval()(*batch[:-1]), model(*batch[:-1]))
        single = built(form, data, dropout=0.5, num_layers=1)
        assert torch.equal(single(*batch[:-1]), single(*batch[:-1]))


@every_form
def test_r24_matrices_begin_as_xavier_has_them(data, form):
    model = form(**data.model_arguments(), embed_size=100, num_hiddens=120)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and "embedding" not in name:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
        elif "embedding" in name:
            assert parameter.std().item() == pytest.approx(1.0, rel=0.1)


def test_c63_the_bases_say_what_is_missing():
    X, lengths = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, dtype=torch.long)
    with pytest.raises(NotImplementedError, match="Encoder wants a forward"):
        Encoder()(X, lengths)
    with pytest.raises(NotImplementedError, match="Decoder wants an init_state"):
        Decoder().init_state((), lengths)
    with pytest.raises(NotImplementedError, match=r"Decoder wants a forward"):
        Decoder()(X, ())


def test_any_encoder_and_decoder_can_be_put_together():
    class Lengths(Encoder):
        def forward(self, source, lengths):
            return (lengths[:, None].float(),)

    class Counting(Decoder):
        def init_state(self, encoded, lengths):
            return encoded

        def forward(self, X, state):
            (left,) = state
            logits = torch.stack([-left + 0.5, left - 0.5], dim=-1)
            return F.pad(logits, (0, 2)), (left - 1,)

    model = EncoderDecoder(Lengths(), Counting())
    model.weight_for_device = nn.Parameter(torch.zeros(1))
    model.src_vocab_size, model.num_steps = 9, 9
    model.eos, model.bos, model.tgt_pad = 0, 2, 3
    found = model.translate(torch.zeros(3, 5, dtype=torch.long), torch.tensor([2, 0, 4]).clamp(1))
    assert found == [[1, 1], [1], [1, 1, 1, 1]]


@every_form
def test_it_runs_in_half_precision_and_is_exported(data, form):
    model, batch = built(form, data).eval(), batch_of(data)[:-1]
    expected = model(*batch).detach()
    exported = torch.export.export(model, batch, strict=False)
    assert torch.allclose(exported.module()(*batch), expected, atol=1e-6)
    half = model.bfloat16()(*batch)
    assert half.dtype == torch.bfloat16
    assert (half.float() - expected).abs().max() < 0.1
    log_p, _ = model.step(batch[1][:, 0], model.init_state(batch[0], batch[2]))
    assert log_p.dtype == torch.float32
    assert model.to("meta")(*(part.to("meta") for part in batch)).shape == expected.shape
