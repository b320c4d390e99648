"""Sequence to sequence: translation with a recurrent encoder and decoder (section 10.7)."""

from types import ModuleType
from typing import Any, ClassVar

from freedive.catalog import system
from freedive.core.hyperparameters import Count, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.fra_eng import MTFraEng
from freedive.topics.seq2seq import concise, scratch
from freedive.topics.seq2seq.encoder_decoder import EncoderDecoder, init_seq2seq

# for the phrasebook: more dropout than in the book is what unseen sentences want
SMALL: dict[str, Any] = {
    "embed_size": 128,
    "dropout": 0.4,
    "schedule": "cosine",
    "num_steps": 12,
    "batch_size": 64,
    "max_epochs": 24,
}
LARGE: dict[str, Any] = {
    "split": "random",
    "num_train": 50_000,
    "num_val": 1_000,
    "num_steps": 12,
    "min_freq": 3,
    "batch_size": 128,
    "lr": 0.003,
    "schedule": "cosine",
    "max_epochs": 5,
}


@system(
    "seq2seq",
    section="10.7",
    data=MTFraEng,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
    presets={"book": {}, "small": SMALL, "large": LARGE},
)
class Seq2Seq(EncoderDecoder):
    """Gated recurrent units read a sentence, others write its translation (section 10.7).

    Args:
        embed_size: numbers in a token's vector.
        num_hiddens: hidden units of each layer.
        num_layers: layers of the encoder, and of the decoder.
        dropout: share that is dropped between layers in training.
    """

    layers: ClassVar[ModuleType] = concise  # where the encoder and the decoder come from

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
            self.layers.Seq2SeqEncoder(src_vocab_size, *sizes),
            self.layers.Seq2SeqDecoder(tgt_vocab_size, *sizes),
        )
        self.save_hyperparameters()
        init_seq2seq(self)


@system("seq2seq", form="scratch")
class Seq2SeqScratch(scratch.MaskedLoss, Seq2Seq):
    """The translator with gated recurrent units and a masked loss from tensors up."""

    layers: ClassVar[ModuleType] = scratch
