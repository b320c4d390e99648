"""What the book says about the transformer, as checks (section 11.7)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.modern_cnn.scratch import LayerNorm
from freedive.topics.transformer import concise, scratch
from freedive.topics.transformer.blocks import (
    AddNorm,
    EncoderBlock,
    Parts,
    PositionWiseFFN,
    Shape,
)
from freedive.topics.transformer.encoder_decoder import TransformerEncoder
from freedive.topics.transformer.gpt import GPT
from freedive.topics.transformer.transformer import Transformer

Evidence = Iterator[tuple[Any, ...]]
FORMS = (scratch.PARTS, concise.PARTS)
VOCAB, STEPS, WIDTH = 12, 7, 16
LENGTHS = torch.tensor([7, 3])


def normal(*shape: int, stream: int = 0) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator(0, stream))


def tokens(stream: int = 0) -> Tensor:
    """Two rows at random."""
    return torch.randint(VOCAB, (2, STEPS), generator=generator(0, stream))


def translator() -> Transformer:
    """A small transformer that is not trained."""
    model = Transformer(VOCAB, VOCAB, 0, 0, 1, 2, STEPS, WIDTH, 32, 4, 2)
    model.eval()
    return model


@claim(
    "11.7.2",
    "the position-wise network changes the last size alone, gives equal rows for equal rows, and "
    "no row knows of another",
    "002b C97",
)
@torch.no_grad()
def position_wise() -> Evidence:
    """The section's ones of shape (2, 3, 4) to 8 outputs; then one of three positions changed."""
    for parts in FORMS:
        ffn = PositionWiseFFN(parts, 4, 4, 8)
        Y = ffn(torch.ones(2, 3, 4))
        yield list(Y.shape), [2, 3, 8]
        yield Y[0], Y[0, :1].expand(3, -1)
        X = normal(2, 3, 4)
        changed = X.clone()
        changed[0, 1] += 1
        gap = (ffn(changed) - ffn(X)).abs().sum(dim=-1)
        yield (gap > 0).tolist(), [[False, True, False], [False, False, False]]


@claim(
    "11.7.3",
    "layer norm works along each row, batch norm along each column: of [[1, 2], [2, 3]] they make "
    "[[−1, 1], [−1, 1]] and [[−1, −1], [1, 1]]",
    "002b C98",
)
@torch.no_grad()
def two_norms() -> Evidence:
    """The section's example; another example in the batch changes one of the two."""
    X = torch.tensor([[1.0, 2.0], [2.0, 3.0]])
    for norm in (nn.LayerNorm(2), LayerNorm(2)):
        yield norm(X), torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]), 3e-5
        yield norm(X[:1]), norm(X)[:1]
    batch_norm = nn.BatchNorm1d(2)
    yield batch_norm(X), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), 3e-5
    more = batch_norm(torch.cat([X, torch.tensor([[9.0, 9.0]])]))[:2]
    yield float((more - batch_norm(X)).abs().max()), (0.1, 2.0)


def first_change(read: Any, X: Tensor, at: int) -> list[int]:
    """The steps whose outputs change where the token of one step does."""
    changed = X.clone()
    changed[:, at] = (changed[:, at] + 1) % VOCAB
    gap = (read(changed) - read(X)).abs().amax(dim=(0, 2))
    return [step for step, size in enumerate(gap.tolist()) if size > 1e-5]


@claim(
    "11.7.5",
    "with a causal mask a step's output does not change with later tokens; an encoder's does",
    "002b C99",
)
@torch.no_grad()
def later_tokens() -> Evidence:
    """Token 3 of 7 changed: in a translator's decoder, in GPT, and in an encoder."""
    model, source, X = translator(), tokens(), tokens(1)
    gpt = GPT(VOCAB, STEPS, WIDTH, 2, 4, dropout=0.0)
    yield first_change(lambda words: model(source, words, LENGTHS), X, 3), [3, 4, 5, 6]
    yield first_change(gpt, X, 3), [3, 4, 5, 6]
    whole = torch.full((2,), STEPS)
    every = list(range(STEPS))
    yield first_change(lambda words: model.encoder(words, whole)[0], X, 3), every


@claim(
    "11.7.3",
    "a residual connection needs a layer whose outputs have its inputs' shape; what a post-norm "
    "gives has mean 0 and standard deviation 1 at each position before training",
    "002b C100",
)
@torch.no_grad()
def add_and_norm() -> Evidence:
    """Shapes (2, 3, 4) of both; a whole block and a stack; pre-norm leaves the sum as it is."""
    for parts in FORMS:
        shape = Shape(WIDTH, 32, 4)
        X, Y = 3 * normal(2, 5, WIDTH) + 1, normal(2, 5, WIDTH, stream=1)
        yield list(AddNorm(parts, shape).after(X, Y).shape), [2, 5, WIDTH]
        yield refused(AddNorm(parts, shape), X, Y[..., :3]), True
        for Z in (AddNorm(parts, shape).after(X, Y), EncoderBlock(parts, shape)(X)):
            yield Z.mean(dim=-1), torch.zeros(2, 5)
            yield Z.std(dim=-1, correction=0), torch.ones(2, 5), 1e-4
        pre = EncoderBlock(parts, shape._replace(norm_first=True))(X)
        yield pre.std(dim=-1, correction=0).mean().item(), (2.0, 5.0)
        yield from encoder_of(parts, shape)


def encoder_of(parts: Parts, shape: Shape) -> Evidence:
    """One vector of the width for each token, normalised by either kind of stack."""
    for norm_first in (False, True):
        encoder = TransformerEncoder(parts, shape._replace(norm_first=norm_first), 2, VOCAB, STEPS)
        (Z,) = encoder(tokens(), LENGTHS)
        yield list(Z.shape), [2, STEPS, WIDTH]
        yield Z.std(dim=-1, correction=0), torch.ones(2, STEPS), 1e-4


def refused(addnorm: AddNorm, X: Tensor, Y: Tensor) -> bool:
    """Whether a sum of unlike shapes ends with an error."""
    try:
        addnorm.after(X, Y)
    except Exception:  # torch's own, or that of whoever checks the shapes in the signature
        return True
    return False


@erratum(
    "11.7.1",
    "the transformer is made of attention: of each sequence to itself, and of the decoder to the "
    "encoder's outputs, without which no word depends on the source",
    printed="entirely based on self-attention",
    source="002b E59",
)
@torch.no_grad()
def attention_to_the_source() -> Evidence:
    """How much another source changes the logits, with and without what that attention finds."""
    model: Any = translator()
    X, whole = tokens(1), torch.full((2,), STEPS)
    sources = tokens(2), tokens(3)
    first, other = (model(source, X, whole) for source in sources)
    yield float((first - other).abs().max()), (0.05, 20.0)
    for block in model.decoder.blocks:
        nn.init.zeros_(block.cross_attention.W_o.weight)  # self-attention alone
    first, other = (model(source, X, whole) for source in sources)
    yield float((first - other).abs().max()), 0.0


@claim("5.1.2", "GELU is x Φ(x), with the normal distribution's Φ", "002a section 5.1.2")
def gelu_is_weighted_by_the_normal_distribution() -> Evidence:
    """The distribution function as torch.distributions has it, and torch's own GELU."""
    X = torch.linspace(-5, 5, 41, dtype=torch.float64)
    yield scratch.gelu(X), X * torch.distributions.Normal(0.0, 1.0).cdf(X), 1e-12
    yield scratch.gelu(X), nn.functional.gelu(X), 1e-12
