"""An encoder and a decoder of transformer blocks (sections 11.7.4 and 11.7.5)."""

import math
from collections.abc import Iterable
from typing import cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.topics.attention.masks import length_mask
from freedive.topics.attention.positions import SinusoidalPositions
from freedive.topics.seq2seq.decoding import State
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoded, Encoder
from freedive.topics.transformer.blocks import DecoderBlock, EncoderBlock, Parts, Shape, last_norm


class Tokens(nn.Module):
    """Tokens as vectors that know where they stand: √h e_token + p_i, some dropped (11.7.4)."""

    def __init__(self, parts: Parts, shape: Shape, vocab_size: int, max_len: int):
        super().__init__()
        self.embedding = parts.embedding(vocab_size, shape.num_hiddens)
        self.positions = SinusoidalPositions(shape.num_hiddens, max_len)
        self.drop = parts.dropout(shape.dropout)
        self.scale = math.sqrt(shape.num_hiddens)

    def forward(
        self, tokens: Int[Tensor, "batch steps"], start: int = 0
    ) -> Float[Tensor, "batch steps h"]:
        """The vectors; the first token stands at position ``start``."""
        return self.drop(self.positions(self.embedding(tokens) * self.scale, start))


class TransformerEncoder(Encoder):
    """Blocks that read a sentence at once (section 11.7.4).

    Args:
        parts: what it is made of.
        shape: of its blocks.
        num_blks: blocks upon each other.
        vocab_size: tokens that are told apart.
        max_len: the most tokens of a sentence.
    """

    def __init__(self, parts: Parts, shape: Shape, num_blks: int, vocab_size: int, max_len: int):
        super().__init__()
        self.tokens = Tokens(parts, shape, vocab_size, max_len)
        self.blocks = nn.ModuleList(EncoderBlock(parts, shape) for _ in range(num_blks))
        self.norm = last_norm(parts, shape)

    def forward(
        self, source: Int[Tensor, "batch steps"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch steps h"]]:
        """A vector for each token; those of padding mean nothing and are seen by none."""
        mask = length_mask(lengths, source.shape[1])[:, None, None]
        X = self.tokens(source)
        for block in self.blocks:
            X = block(X, mask)
        return (self.norm(X),)


class TransformerDecoder(Decoder):
    """Blocks that write, with an eye on what was read (section 11.7.5).

    Its state is the mask of the source and, for each block, the keys and values of the source and
    of what is written so far.

    Args:
        parts: what it is made of.
        shape: of its blocks.
        num_blks: blocks upon each other.
        vocab_size: tokens that are told apart.
        max_len: the most tokens of a sentence.
    """

    def __init__(self, parts: Parts, shape: Shape, num_blks: int, vocab_size: int, max_len: int):
        super().__init__()
        self.tokens = Tokens(parts, shape, vocab_size, max_len)
        self.blocks = nn.ModuleList(DecoderBlock(parts, shape) for _ in range(num_blks))
        self.norm = last_norm(parts, shape)
        self.head = parts.linear(shape.num_hiddens, vocab_size)

    def init_state(self, encoded: Encoded, lengths: Int[Tensor, " batch"]) -> State:
        """Keys and values of the source, and none of what is written."""
        (memory,) = encoded
        state = [length_mask(lengths, memory.shape[1])[:, None, None]]
        for block in cast(Iterable[DecoderBlock], self.blocks):
            keys, values = block.cross_attention.remember(memory, memory)
            state += [keys, values, keys[:, :, :0], values[:, :, :0]]
        return tuple(state)

    def forward(
        self, X: Int[Tensor, "batch steps"], state: State
    ) -> tuple[Float[Tensor, "batch steps vocab"], State]:
        """Logits of the token after each, and the state after the last."""
        mask, *parts = state
        after = [mask]
        hidden = self.tokens(X, start=parts[2].shape[2])
        for block, (keys, values, *before) in zip(self.blocks, in_fours(parts), strict=True):
            hidden, written = block(hidden, (keys, values), mask, tuple(before))
            after += [keys, values, *written]
        return self.head(self.norm(hidden)), tuple(after)


def in_fours(parts: list[Tensor]) -> list[list[Tensor]]:
    """The part of the state that belongs to each block."""
    return [parts[first : first + 4] for first in range(0, len(parts), 4)]
