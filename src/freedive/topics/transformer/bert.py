"""BERT: an encoder alone, which tells hidden tokens from both sides (section 11.9.1)."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.schedules import Schedule, scheduled
from freedive.data.time_machine import TimeMachine
from freedive.topics.attention.positions import LearntPositions, sinusoids
from freedive.topics.gated_rnn.masked_tokens import MaskedTokens
from freedive.topics.transformer.blocks import (
    EncoderBlock,
    Parts,
    Shape,
    init_transformer,
    last_norm,
)
from freedive.topics.transformer.concise import PARTS

TRAINER = {"max_epochs": 30, "gradient_clip_val": 1.0}
DATA = {"num_steps": 64, "batch_size": 64}
# sizes that bert and bert-classifier have in common, so that weights of the one fit the other
SMALL = {"num_hiddens": 96, "num_layers": 3, "num_heads": 4}
HIDDEN, REPLACED = 0.8, 0.1  # shares of what is to be told; the rest is left as it is


class BERTEncoder(nn.Module):
    """Tokens with learnt positions, and blocks in which each sees all others (section 11.9.1).

    Args:
        parts: what it is made of.
        shape: of its blocks.
        num_layers: blocks upon each other.
        vocab_size: tokens that are told apart; one more number stands for what is hidden.
        num_steps: the most tokens of a text.
    """

    def __init__(
        self, parts: Parts, shape: Shape, num_layers: int, vocab_size: int, num_steps: int
    ):
        super().__init__()
        self.embedding = parts.embedding(vocab_size + 1, shape.num_hiddens)
        self.place = LearntPositions(shape.num_hiddens, num_steps)
        self.drop = parts.dropout(shape.dropout)
        self.blocks = nn.ModuleList(EncoderBlock(parts, shape) for _ in range(num_layers))
        self.norm = last_norm(parts, shape)

    def forward(self, X: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps h"]:
        """A vector for each token, which knows of all the others."""
        Y = self.drop(self.place(self.embedding(X)))
        for block in self.blocks:
            Y = block(Y)
        return self.norm(Y)


@torch.no_grad()
def init_bert(model: nn.Module) -> None:
    """Xavier's weights, and positions that begin as sines and cosines, as long as the tokens'.

    N(0, 0.02²), as in BERT and GPT-2, suits rows of 768 numbers; in rows of a tenth of that all
    scores are nearly equal, and it takes long until places look at their neighbours. To look a
    step aside is one and the same rotation for all waves; of random positions it would have to be
    learnt one by one.
    """
    init_transformer(model)
    for layer in model.modules():
        if isinstance(layer, LearntPositions):
            width = layer.weight.shape[1]
            layer.weight.copy_(sinusoids(layer.max_len, width) * (2 / width) ** 0.5)


def bert_shape(num_hiddens: int, num_heads: int, dropout: float) -> Shape:
    """The blocks of BERT, with the norm before each layer: deep ones then learn more easily."""
    return Shape(
        num_hiddens, 4 * num_hiddens, num_heads, dropout, norm_first=True, activation="gelu"
    )


@system(
    "bert",
    section="11.9.1",
    data=TimeMachine,
    trainer=TRAINER,
    data_settings=DATA,
    presets={
        "small": {
            **SMALL,
            "masked": 0.25,  # a text this short is better used
            "dropout": 0.0,
            "lr": 3e-3,
            "batch_size": 32,
            "max_epochs": 12,
        }
    },
)
class BERT(MaskedTokens):
    """An encoder that learns a text by telling hidden tokens from both sides (section 11.9.1).

    Of the tokens that are to be told, eight of ten are hidden, one is replaced by any token and one
    is left: texts without hidden tokens, which are what it is to read later, are then nothing new.

    Args:
        num_steps: the most tokens of a text.
        num_hiddens: numbers that stand for a token, from the first block to the last.
        num_layers: blocks.
        num_heads: heads of each attention.
        dropout: share of each layer's result that is dropped in training.
        lr: the learning rate of Adam, or its peak where there is a schedule.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
        weight_decay: λ of the decoupled decay.
    """

    schedule: str
    weight_decay: float

    def __init__(
        self,
        vocab_size: Count = 28,
        num_steps: Count = 64,
        num_hiddens: Count = 256,
        num_layers: Count = 4,
        num_heads: Count = 4,
        masked: Probability = 0.15,
        dropout: Probability = 0.1,
        lr: Positive = 1e-3,
        schedule: Schedule = "cosine",
        weight_decay: NonNegative = 0.01,
    ):
        super().__init__(vocab_size, masked, lr)
        self.save_hyperparameters()
        shape = bert_shape(num_hiddens, num_heads, dropout)
        self.encoder = BERTEncoder(PARTS, shape, num_layers, vocab_size, num_steps)
        self.head = PARTS.linear(num_hiddens, vocab_size)
        init_bert(self)

    def forward(self, X: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps vocab"]:
        """Logits of the token at each place; `vocab_size` itself marks a hidden one."""
        return self.head(self.encoder(X))

    def disguised(
        self, X: Int[Tensor, "batch steps"], told: Bool[Tensor, "batch steps"]
    ) -> Int[Tensor, "batch steps"]:
        """Hides most of what is to be told, replaces some of it, and leaves some."""
        chance = torch.rand(X.shape, device=X.device)
        anything = torch.randint_like(X, self.vocab_size)
        read = X.masked_fill(told & (chance < HIDDEN), self.vocab_size)
        replaced = told & (chance >= HIDDEN) & (chance < HIDDEN + REPLACED)
        return torch.where(replaced, anything, read)

    def configure_optimizers(self) -> Any:
        """AdamW, with a constant rate or a schedule over all steps."""
        optim = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return scheduled(optim, self.trainer, self.schedule)
