"""What the book says about attention in translation, heads, and costs, as checks (11.4 to 11.6)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import claim, erratum
from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.attention import bahdanau, concise, scratch
from freedive.topics.attention.costs import costs, layers_to_span
from freedive.topics.attention.positions import SinusoidalPositions
from freedive.topics.rnn.scratch import RNN
from freedive.topics.seq2seq.concise import Seq2SeqEncoder

Evidence = Iterator[tuple[Any, ...]]
FORMS: tuple[Any, ...] = (scratch, concise)
VOCAB, EMBED, HIDDENS, LAYERS, BATCH, STEPS = 10, 8, 16, 2, 4, 7  # of section 11.4.3
LENGTHS = torch.tensor([7, 4, 1, 5])


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator(0, stream))


def tokens(stream: int = 0) -> Tensor:
    """A batch of rows at random."""
    return torch.randint(VOCAB, (BATCH, STEPS), generator=generator(0, stream))


def translator() -> tuple[nn.Module, Any]:
    """An encoder and a decoder of the section's small sizes."""
    sizes = (VOCAB, EMBED, HIDDENS, LAYERS, 0.0)
    return Seq2SeqEncoder(*sizes), bahdanau.ConciseDecoder(*sizes)


def caught_weights(decoder: Any, X: Tensor, state: Any) -> list[Tensor]:
    """What the decoder's attention weighs the source with, a tensor for each step."""
    caught: list[Tensor] = []
    handle = decoder.cross_attention.weights.register_forward_hook(
        lambda module, given, weights: caught.append(weights)
    )
    decoder(X, state)
    handle.remove()
    return caught


@claim(
    "11.4.3",
    "a decoder's output has the shape (4, 7, 10), what it asks (4, 7, 16), each layer's state "
    "(4, 16); the first query is the encoder's last state",
    "002b C85",
)
@torch.no_grad()
def bahdanau_shapes() -> Evidence:
    """The section's sizes; the first step's weights, asked with the encoder's state by hand."""
    encoder, decoder = translator()
    outputs, hidden = encoder(tokens(), LENGTHS)
    state = decoder.init_state((outputs, hidden), LENGTHS)
    logits, after = decoder(tokens(1), state)
    yield list(logits.shape), [BATCH, STEPS, VOCAB]
    yield list(after[1].shape), [BATCH, STEPS, HIDDENS]
    yield [list(layer.shape) for layer in after[3].unbind(1)], [[BATCH, HIDDENS]] * LAYERS
    yield sum(p.numel() for p in decoder.parameters()), 4426
    one_hot = torch.eye(STEPS).expand(BATCH, -1, -1)
    keys = outputs.transpose(0, 1)
    asked = decoder.cross_attention(hidden[-1][:, None], keys, one_hot, LENGTHS)
    yield caught_weights(decoder, tokens(1), state)[0], asked


@claim(
    "11.4.1",
    "the context lies in the convex hull of the encoder's outputs; equal weights give their mean",
    "002b C86",
)
@torch.no_grad()
def context_in_the_hull() -> Evidence:
    """Exceeded in none of 2,000 directions; then scores that are all 0, over real tokens only."""
    encoder, decoder = translator()
    outputs, hidden = encoder(tokens(), LENGTHS)
    values, attention = outputs.transpose(0, 1), decoder.cross_attention
    directions = normal(HIDDENS, 2000, stream=2)
    context = attention(hidden[-1][:, None], values, values, LENGTHS)
    for n, length in enumerate(LENGTHS.tolist()):
        highest = (values[n, :length] @ directions).amax(dim=0)
        yield float((context[n, 0] @ directions - highest).max()), (-100.0, 1e-5)
    nn.init.zeros_(attention.w_v.weight)
    context = attention(hidden[-1][:, None], values, values, LENGTHS)
    for n, length in enumerate(LENGTHS.tolist()):
        yield context[n, 0], values[n, :length].mean(dim=0)


@claim(
    "11.4.3",
    "at each step there is a weight for each source token, (batch, 1, source steps), 0 for padding",
    "002b C87",
)
@torch.no_grad()
def weights_of_each_step() -> Evidence:
    """Seven steps over sentences of 7, 4, 1 and 5 tokens."""
    encoder, decoder = translator()
    state = decoder.init_state(encoder(tokens(), LENGTHS), LENGTHS)
    caught = caught_weights(decoder, tokens(1), state)
    yield [list(weights.shape) for weights in caught], [[BATCH, 1, STEPS]] * STEPS
    weights = torch.cat(caught, dim=1)
    padding = torch.arange(STEPS) >= LENGTHS[:, None, None]
    yield float(weights.masked_select(padding).abs().max()), 0.0
    yield weights.sum(dim=-1), torch.ones(BATCH, STEPS)
    yield float(weights[0].std(dim=0).max()) > 0, True  # each step looks elsewhere


@claim(
    "11.5.2",
    "100 hidden units in 5 heads: outputs (2, 4, 100), 4·100² parameters; joining the heads undoes "
    "splitting; heads must divide the width",
    "002b C88",
)
@torch.no_grad()
def multi_head_shapes() -> Evidence:
    """The section's sizes in both forms, and seven heads."""
    queries, keys, lengths = torch.ones(2, 4, 100), torch.ones(2, 6, 100), torch.tensor([3, 2])
    X = normal(2, 4, 100)
    for form in FORMS:
        attention = form.MultiHeadAttention(100, 5, 0.5)
        yield list(attention(queries, keys, keys, lengths).shape), [2, 4, 100]
        yield sum(p.numel() for p in attention.parameters()), 40_000
        yield list(attention.split(X).shape), [2, 5, 4, 20]
        yield attention.join(attention.split(X)), X
        try:
            form.MultiHeadAttention(100, 7)
            refused = "none"
        except UsageError as error:
            refused = str(error)
        yield "num_hiddens=100" in refused and "num_heads=7" in refused, True


@claim(
    "11.5.2",
    "multi-head attention is a loop over heads and examples, each over its valid keys",
    "002b C89",
)
@torch.no_grad()
def heads_in_a_loop() -> Evidence:
    """One head of one example at a time, keys cut to those that may be seen."""
    queries, keys, lengths = normal(2, 4, 20), normal(2, 6, 20, stream=1), torch.tensor([3, 2])
    for form in FORMS:
        attention = form.MultiHeadAttention(20, 5)
        q, k, v = attention.W_q(queries), attention.W_k(keys), attention.W_v(keys)
        rows = []
        for n, length in enumerate(lengths.tolist()):
            heads = []
            for part in torch.arange(20).split(4):
                scores = q[n][:, part] @ k[n, :length][:, part].T / math.sqrt(4)
                heads.append(scores.softmax(dim=-1) @ v[n, :length][:, part])
            rows.append(attention.W_o(torch.cat(heads, dim=-1)))
        yield attention(queries, keys, keys, lengths), torch.stack(rows), 2e-6


@claim(
    "11.5.1",
    "one head whose maps are identities is dot-product attention",
    "002b C90",
)
@torch.no_grad()
def one_head() -> Evidence:
    """All four matrices set to I; two heads are something else."""
    queries, keys = normal(2, 4, 8), normal(2, 6, 8, stream=1)
    for form in FORMS:
        expected = form.DotProductAttention()(queries, keys, keys)
        for num_heads in (1, 2):
            attention = form.MultiHeadAttention(8, num_heads)
            for weight in attention.parameters():
                nn.init.eye_(weight)
            gap = float((attention(queries, keys, keys) - expected).abs().max())
            yield gap, (0.0, 1e-6) if num_heads == 1 else (0.01, 10.0)


@claim(
    "11.6.3",
    "self-attention cannot tell the order of its inputs: they permuted, its outputs are permuted "
    "alike; with positions added they are not",
    "002b C91",
)
@torch.no_grad()
def permutations() -> Evidence:
    """Ten tokens in another order."""
    X, order = normal(1, 10, 16), torch.randperm(10, generator=generator(0, 3))
    positions = SinusoidalPositions(16)
    for form in FORMS:
        attention = form.MultiHeadAttention(16, 4)
        plain = attention(X, X, X)[:, order], attention(*(X[:, order],) * 3)
        yield float((plain[0] - plain[1]).abs().max()), (0.0, 5e-6)
        placed, permuted = positions(X), positions(X[:, order])
        gap = attention(placed, placed, placed)[:, order] - attention(permuted, permuted, permuted)
        yield float(gap.abs().max()), (0.05, 20.0)


@claim(
    "11.6.2",
    "the operations of a layer grow as n²d for attention, as knd² for a convolution, as nd² for a "
    "recurrent network",
    "002b C92",
)
def growth_of_costs() -> Evidence:
    """By how much each count grows where n, d or k is doubled."""
    once, longer, wider = costs(32, 16), costs(64, 16), costs(32, 32)
    powers = {"attention": (2, 1), "convolution": (1, 2), "recurrence": (1, 2)}
    for kind, (of_n, of_d) in powers.items():
        yield longer[kind] / once[kind], float(2**of_n)
        yield wider[kind] / once[kind], float(2**of_d)
    yield once["attention"], 2 * 32**2 * 16  # scores, and means of values
    yield once["recurrence"], 2 * 32 * 16**2  # of inputs, and of states
    for k in (1, 5, 9):
        yield costs(32, 16, k)["convolution"], k * 32 * 16**2


@claim(
    "11.6.2",
    "from the first of n tokens to the last it takes one layer of self-attention, ⌈(n−1)/(k−1)⌉ "
    "convolutions, n − 1 steps of a recurrent network",
    "002b C92",
)
def lengths_of_paths() -> Evidence:
    """Where a gradient arrives; kernels of one side, a centred one reaches half as far."""
    for k, expected in ((3, 50), (5, 25), (100, 1)):
        yield layers_to_span(100, k), expected
        yield layers_to_span(100, k), math.ceil(99 / (k - 1))
    X = normal(1, 100, 4).requires_grad_()
    last = scratch.MultiHeadAttention(4, 1)(X, X, X)[0, -1].sum()
    (gradient,) = torch.autograd.grad(last, X)
    yield int((gradient[0].abs().sum(dim=-1) > 0).sum()), 100
    rnn, steps = RNN(4, 4), X.detach().transpose(0, 1)
    state, taken = rnn(steps[:1])[1].requires_grad_(), 0
    first, reached = state, state
    for step in steps[1:].split(1):
        _, reached = rnn(step, reached)
        taken += 1
    (gradient,) = torch.autograd.grad(reached.sum(), first)
    yield taken, 99
    yield bool(gradient.isfinite().all()), True


@erratum(
    "11.6.2",
    "a layer of self-attention costs O(n²d + nd²): its four maps cost more than attention itself "
    "up to n = 2d",
    printed="O(n²d), without the maps of queries, keys, values and outputs",
    source="002b E57",
)
def maps_cost_too() -> Evidence:
    """Counted: 2n²d and 4nd²; as printed, a doubled n costs four times as much."""
    d = 64
    for n in (16, 64, 128, 512):
        found = costs(n, d)
        maps = found["self-attention"] - found["attention"]
        yield maps, 4 * n * d**2
        yield found["attention"], 2 * n**2 * d
        yield maps > found["attention"], n < 2 * d
    yield costs(16, d)["self-attention"] / costs(8, d)["self-attention"], (2.0, 2.2)
