"""Translation with an eye on the source: Bahdanau's attention (section 11.4)."""

from types import ModuleType
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.fra_eng import MTFraEng
from freedive.topics.attention import concise, scratch
from freedive.topics.attention.masks import length_mask
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.gated_rnn.scratch import GRU
from freedive.topics.rnn.scratch import Embedding
from freedive.topics.seq2seq import concise as seq2seq_concise
from freedive.topics.seq2seq import scratch as seq2seq_scratch
from freedive.topics.seq2seq.decoding import State
from freedive.topics.seq2seq.encoder_decoder import Decoder, Encoded, EncoderDecoder, init_seq2seq
from freedive.topics.seq2seq.seq2seq import LARGE, SMALL


class AttentionDecoder(Decoder):
    """Base of the decoders that look at the source before each word (section 11.4.2).

    c_t' = Σ_t α(s_{t'−1}, h_t) h_t: the last layer's state before a word asks the encoder's
    outputs, and what it finds is read along with the word before.

    Args:
        vocab_size: tokens of the target language.
        embed_size: numbers in a token's vector.
        num_hiddens: hidden units of each layer, and of the additive attention.
        num_layers: layers, as many as the encoder's.
        dropout: share that is dropped in training, of the weights and between layers.
    """

    attention: ClassVar[Any]
    table: ClassVar[Any]
    cell: ClassVar[Any]
    linear: ClassVar[Any]

    def __init__(
        self, vocab_size: int, embed_size: int, num_hiddens: int, num_layers: int, dropout: float
    ):
        super().__init__()
        self.cross_attention = self.attention(num_hiddens, dropout)
        self.embedding = self.table(vocab_size, embed_size)
        between = dropout if num_layers > 1 else 0.0  # torch warns where there is nothing between
        self.rnn = self.cell(embed_size + num_hiddens, num_hiddens, num_layers, dropout=between)
        self.head = self.linear(num_hiddens, vocab_size)

    def init_state(self, encoded: Encoded, lengths: Int[Tensor, " batch"]) -> State:
        """The outputs that may be asked, mapped and as they are, their mask, and the states."""
        outputs, hidden = encoded
        values = outputs.transpose(0, 1)
        mask = length_mask(lengths, values.shape[1])[:, None]
        return self.cross_attention.W_k(values), values, mask, hidden.transpose(0, 1)

    def forward(
        self, X: Int[Tensor, "batch steps"], state: State
    ) -> tuple[Float[Tensor, "batch steps vocab"], State]:
        """Logits of the token after each, and the state after the last."""
        keys, values, mask, before = state
        hidden, outputs = before.transpose(0, 1).contiguous(), []
        for emb in self.embedding(X.T).unbind(0):
            context = self.cross_attention.attend(hidden[-1][:, None], keys, values, mask)
            output, hidden = self.rnn(torch.cat([emb, context[:, 0]], dim=-1)[None], hidden)
            outputs.append(output[0])
        logits = self.head(torch.stack(outputs, dim=1))
        return logits, (keys, values, mask, hidden.transpose(0, 1))


class ConciseDecoder(AttentionDecoder):
    """The decoder with torch.nn."""

    attention: ClassVar[Any] = concise.AdditiveAttention
    table: ClassVar[Any] = nn.Embedding
    cell: ClassVar[Any] = nn.GRU
    linear: ClassVar[Any] = nn.Linear


class ScratchDecoder(AttentionDecoder):
    """The decoder from tensors up."""

    attention: ClassVar[Any] = scratch.AdditiveAttention
    table: ClassVar[Any] = Embedding
    cell: ClassVar[Any] = GRU
    linear: ClassVar[Any] = Linear


@system(
    "bahdanau",
    section="11.4",
    data=MTFraEng,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
    presets={"book": {}, "small": SMALL, "large": LARGE},
)
class Bahdanau(EncoderDecoder):
    """A recurrent translator that looks at the source before each word (section 11.4).

    Args:
        embed_size: numbers in a token's vector.
        num_hiddens: hidden units of each layer.
        num_layers: layers of the encoder, and of the decoder.
        dropout: share that is dropped in training, of the weights and between layers.
    """

    encoders: ClassVar[ModuleType] = seq2seq_concise
    decoder_class: ClassVar[type[AttentionDecoder]] = ConciseDecoder

    def __init__(
        self,
        src_vocab_size: Count = 200,
        tgt_vocab_size: Count = 200,
        src_pad: Whole = 4,
        tgt_pad: Whole = 5,
        bos: Whole = 3,
        eos: Whole = 4,
        num_steps: Count = 9,
        embed_size: Count = 256,
        num_hiddens: Count = 256,
        num_layers: Count = 2,
        dropout: Probability = 0.2,
        lr: Positive = 0.005,
        schedule: Schedule = "constant",
    ):
        sizes = (embed_size, num_hiddens, num_layers, dropout)
        super().__init__(
            self.encoders.Seq2SeqEncoder(src_vocab_size, *sizes),
            self.decoder_class(tgt_vocab_size, *sizes),
        )
        self.save_hyperparameters()
        init_seq2seq(self)


@system("bahdanau", form="scratch")
class BahdanauScratch(seq2seq_scratch.MaskedLoss, Bahdanau):
    """The translator that looks at the source, with a masked loss, from tensors up (11.4)."""

    encoders: ClassVar[ModuleType] = seq2seq_scratch
    decoder_class: ClassVar[type[AttentionDecoder]] = ScratchDecoder
