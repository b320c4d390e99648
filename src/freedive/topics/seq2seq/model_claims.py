"""What the book says about encoder and decoder, as checks (sections 10.6 and 10.7)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.seq2seq import concise, scratch
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoder
from freedive.topics.seq2seq.seq2seq import Seq2Seq

Evidence = Iterator[tuple[Any, ...]]
VOCAB, EMBED, HIDDENS, LAYERS, BATCH, STEPS = 10, 8, 16, 2, 4, 9  # of section 10.7
LENGTHS = torch.tensor([9, 4, 1, 6])


def tokens(stream: int = 0) -> Tensor:
    """A batch of rows at random."""
    return torch.randint(VOCAB, (BATCH, STEPS), generator=generator(0, stream))


def model(dropout: float = 0.0) -> Seq2Seq:
    """A translator of the section's small sizes; <pad> is 0, <bos> 1 and <eos> 2."""
    return Seq2Seq(VOCAB, VOCAB, 0, 0, 1, 2, STEPS, EMBED, HIDDENS, LAYERS, dropout)


def raised(action: Callable[[], Any]) -> str:
    """The name of the error that an action ends with."""
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "none"


@claim(
    "10.6", "the bases raise NotImplementedError; the whole gives the decoder's output", "002b C63"
)
def interfaces() -> Evidence:
    """What is asked of a base, and a whole beside its two parts."""
    X = tokens()
    yield raised(lambda: Encoder()(X, LENGTHS)), "NotImplementedError"
    yield raised(lambda: Decoder().init_state((), LENGTHS)), "NotImplementedError"
    yield raised(lambda: Decoder()(X, ())), "NotImplementedError"
    whole, Y = model(), tokens(1)
    state = whole.decoder.init_state(whole.encoder(X, LENGTHS), LENGTHS)
    yield whole(X, Y, LENGTHS).detach(), whole.decoder(Y, state)[0].detach()


@claim(
    "10.7", "shapes of the encoder (9, 4, 16) and (2, 4, 16), of the decoder (4, 9, 10)", "002b C64"
)
def shapes() -> Evidence:
    """Both forms; the decoder's hidden state goes on with the shape of the encoder's."""
    for layers in (scratch, concise):
        encoder = layers.Seq2SeqEncoder(VOCAB, EMBED, HIDDENS, LAYERS, 0.0)
        decoder = layers.Seq2SeqDecoder(VOCAB, EMBED, HIDDENS, LAYERS, 0.0)
        outputs, hidden = encoder(tokens(), LENGTHS)
        logits, (_, after) = decoder(tokens(1), decoder.init_state((outputs, hidden), LENGTHS))
        for tensor, expected in (
            (outputs, [STEPS, BATCH, HIDDENS]),
            (hidden, [LAYERS, BATCH, HIDDENS]),
            (logits, [BATCH, STEPS, VOCAB]),
            (after.transpose(0, 1), [LAYERS, BATCH, HIDDENS]),
        ):
            yield list(tensor.shape), expected


@claim(
    "10.7.3", "the context is the top layer's state after the last token", ("002b C65", "002b C64")
)
def context() -> Evidence:
    """It is the last valid output, and it stays as it was while the decoder goes on (R21)."""
    whole = model()
    outputs, hidden = whole.encoder(tokens(), LENGTHS)
    first, _ = whole.decoder.init_state((outputs, hidden), LENGTHS)
    yield first.detach(), hidden[-1].detach()
    yield first.detach(), outputs[LENGTHS - 1, torch.arange(BATCH)].detach()
    state = whole.init_state(tokens(), LENGTHS)
    for _ in range(3):
        _, state = whole.step(torch.ones(BATCH, dtype=torch.long), state)
    kept, _ = state
    yield kept.detach(), first.detach()


@claim(
    "10.7.5",
    "the loss leaves padding out: it is cross-entropy with ignore_index, a mean over real tokens",
    "002b C66",
)
def masked_loss() -> Evidence:
    """Both forms; logits at padding may be anything, and get no gradient."""
    label = torch.where(torch.arange(STEPS) < LENGTHS[:, None], tokens().clamp(min=1), 0)
    logits = torch.randn(BATCH, STEPS, VOCAB, generator=generator(1)).requires_grad_()
    expected = F.cross_entropy(logits.flatten(0, 1), label.flatten(), ignore_index=0).detach()
    for loss in (model().loss, lambda a, b: scratch.masked_cross_entropy(a, b, 0)):
        yield loss(logits, label).detach(), expected, 1e-6
        (gradient,) = torch.autograd.grad(loss(logits, label), logits)
        yield gradient[label == 0].abs().max(), 0.0
        changed = torch.where((label == 0)[..., None], logits * 100, logits)
        yield loss(changed, label).detach(), expected, 1e-6


@claim(
    "10.7.7", "a translation has at most as many tokens as asked; the first ones stay", "002b C67"
)
def greedy_prefix() -> Evidence:
    """Longer limits go on where shorter ones ended."""
    whole = model()
    rows = {n: whole.translate(tokens(), LENGTHS, max_len=n) for n in (2, 4, STEPS)}
    for short, long in ((2, 4), (4, STEPS)):
        yield max(map(len, rows[short])) <= short, True
        yield rows[short] == [row[:short] for row in rows[long]], True


@claim("10.7.1", "teacher forcing gives <bos> and the true words, one step late", "002b C69")
def teacher_forcing() -> Evidence:
    """With the true words as its own, the model says step by step what it says at once."""
    whole, X, label = model(), tokens(), tokens(1).clamp(min=3)
    given = torch.cat([torch.full((BATCH, 1), whole.bos), label[:, :-1]], dim=1)
    at_once = whole(X, given, LENGTHS).index_fill(2, torch.tensor([0, 1]), -torch.inf)
    state, before = whole.init_state(X, LENGTHS), given[:, 0]
    for t in range(STEPS):
        log_p, state = whole.step(before, state)
        yield log_p.detach(), at_once[:, t].log_softmax(dim=-1).detach(), 1e-5
        before = label[:, t]


@erratum(
    "10.7.2",
    "the context is taken after the last token: padding has no part in it",
    printed="after the last step: what a sentence means depends on how far it is padded",
    source="002b E44",
)
def context_without_padding() -> Evidence:
    """A sentence of three tokens in rows of 3 and 9: the printed contexts differ, ours do not."""
    encoder = concise.Seq2SeqEncoder(VOCAB, EMBED, HIDDENS, 1, 0.0)
    sentence = tokens()[:1, :3].clamp(min=1)
    rows = [F.pad(sentence, (0, more)) for more in (0, 6)]
    ours = [encoder(row, torch.tensor([3]))[1][-1].detach() for row in rows]
    printed = [encoder.rnn[0](encoder.embedding(row.T))[0][-1].detach() for row in rows]
    yield ours[0], ours[1], 1e-6
    yield ours[0], printed[0], 1e-6
    yield float((printed[0] - printed[1]).abs().max()) > 0.01, True


@erratum(
    "10.7.7",
    "translating ends at <eos>, without dropout and without gradients, and leaves no trace",
    printed="predict_step goes on behind <eos>, in whatever mode the model was left",
    source="002b E47",
)
def translating() -> Evidence:
    """A model with much dropout in training mode: equal answers, and it trains on."""
    whole: Any = model(dropout=0.9).train()
    first = whole.translate(tokens(), LENGTHS)
    yield whole.translate(tokens(), LENGTHS) == first, True
    yield whole.training and whole.encoder.dropout.training, True
    yield any(p.grad is not None for p in whole.parameters()), False
    with torch.no_grad():
        nn.init.zeros_(whole.decoder.head.weight)
        whole.decoder.head.bias.copy_(10 * F.one_hot(torch.tensor(whole.eos), VOCAB))
    yield max(map(len, whole.translate(tokens(), LENGTHS))), 0
