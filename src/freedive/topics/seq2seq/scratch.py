"""The encoder, the decoder and the loss of section 10.7 from tensors up."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.gated_rnn.scratch import GRU
from freedive.topics.rnn.scratch import Embedding
from freedive.topics.seq2seq.decoding import State
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoded, Encoder
from freedive.topics.softmax_regression.scratch import log_softmax


class Seq2SeqEncoder(Encoder):
    """Layers of gated recurrent units that read a sentence token by token (section 10.7.2).

    After its last token a sentence's state is frozen: padding does not touch it.

    Args:
        vocab_size: tokens of the source language.
        embed_size: numbers in a token's vector.
        num_hiddens: hidden units of each layer.
        num_layers: layers of gated recurrent units.
        dropout: share that is dropped between layers in training.
    """

    def __init__(
        self, vocab_size: int, embed_size: int, num_hiddens: int, num_layers: int, dropout: float
    ):
        super().__init__()
        self.embedding = Embedding(vocab_size, embed_size)
        self.rnn = GRU(embed_size, num_hiddens, num_layers, dropout=dropout)

    def forward(
        self, source: Int[Tensor, "batch steps"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "steps batch h"], Float[Tensor, "layers batch h"]]:
        """The last layer's outputs, and the state of each layer after the last token."""
        embs, outputs = self.embedding(source.T), []
        hidden = embs.new_zeros(self.rnn.num_layers, len(source), self.rnn.num_hiddens)
        for t, X in enumerate(embs):
            _, after = self.rnn(X[None], hidden)
            hidden = torch.where((t < lengths)[:, None], after, hidden)
            outputs.append(hidden[-1])
        return torch.stack(outputs), hidden


class Seq2SeqDecoder(Decoder):
    """Gated recurrent units that see the encoder's last state with every word (section 10.7.3).

    Args:
        vocab_size: tokens of the target language.
        embed_size: numbers in a token's vector.
        num_hiddens: hidden units of each layer, as many as the encoder's.
        num_layers: layers, as many as the encoder's.
        dropout: share that is dropped between layers in training.
    """

    def __init__(
        self, vocab_size: int, embed_size: int, num_hiddens: int, num_layers: int, dropout: float
    ):
        super().__init__()
        self.embedding = Embedding(vocab_size, embed_size)
        self.rnn = GRU(embed_size + num_hiddens, num_hiddens, num_layers, dropout=dropout)
        self.head = Linear(num_hiddens, vocab_size)

    def init_state(self, encoded: Encoded, lengths: Int[Tensor, " batch"]) -> State:
        """The context, which stays, and the hidden states, which go on from the encoder's."""
        _, hidden = encoded
        return hidden[-1], hidden.transpose(0, 1)

    def forward(
        self, X: Int[Tensor, "batch steps"], state: State
    ) -> tuple[Float[Tensor, "batch steps vocab"], State]:
        """Logits of the token after each, and the state after the last."""
        context, hidden = state
        embs = self.embedding(X.T)
        inputs = torch.cat([embs, context.expand(len(embs), -1, -1)], dim=-1)
        outputs, hidden = self.rnn(inputs, hidden.transpose(0, 1))
        return self.head(outputs.transpose(0, 1)), (context, hidden.transpose(0, 1))


def masked_cross_entropy(
    logits: Float[Tensor, "batch steps vocab"], labels: Int[Tensor, "batch steps"], pad: int
) -> Float[Tensor, ""]:
    """Σ l m / Σ m with m = 1 for real tokens and 0 for padding (section 10.7.5)."""
    losses = -log_softmax(logits).gather(-1, labels[..., None])[..., 0]
    mask = (labels != pad).to(losses.dtype)
    return (losses * mask).sum() / mask.sum()


class MaskedLoss:
    """What the translators from tensors up have in common, whatever their layers are."""

    tgt_pad: int

    def loss(
        self, y_hat: Float[Tensor, "batch steps vocab"], y: Int[Tensor, "batch steps"]
    ) -> Tensor:
        """The mean cross-entropy of the tokens that are no padding."""
        return masked_cross_entropy(y_hat, y, self.tgt_pad)
