"""The encoder and the decoder of section 10.7 with torch.nn."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.topics.seq2seq.decoding import State
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoded, Encoder


class Seq2SeqEncoder(Encoder):
    """Layers of gated recurrent units that read a sentence up to its last token (section 10.7.2).

    Each layer is a GRU of its own: what it has after the last token is picked from its outputs,
    which later padding cannot reach.

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
        self.embedding = nn.Embedding(vocab_size, embed_size)
        sizes = [embed_size] + [num_hiddens] * (num_layers - 1)
        self.rnn = nn.ModuleList(nn.GRU(size, num_hiddens) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, source: Int[Tensor, "batch steps"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "steps batch h"], Float[Tensor, "layers batch h"]]:
        """The last layer's outputs, and the state of each layer after the last token."""
        outputs, states = self.embedding(source.T), []
        last = lengths - 1, torch.arange(len(lengths), device=lengths.device)
        for number, layer in enumerate(self.rnn):
            outputs, _ = layer(self.dropout(outputs) if number else outputs)
            states.append(outputs[last])
        return outputs, torch.stack(states)


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
        self.embedding = nn.Embedding(vocab_size, embed_size)
        between = dropout if num_layers > 1 else 0.0  # torch warns where there is nothing between
        self.rnn = nn.GRU(embed_size + num_hiddens, num_hiddens, num_layers, dropout=between)
        self.head = nn.Linear(num_hiddens, vocab_size)

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
        outputs, hidden = self.rnn(inputs, hidden.transpose(0, 1).contiguous())
        return self.head(outputs.transpose(0, 1)), (context, hidden.transpose(0, 1))
