"""The transformer: translation without recurrence (section 11.7)."""

from typing import ClassVar

from torch import Tensor

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.fra_eng import MTFraEng
from freedive.topics.seq2seq.encoder_decoder import EncoderDecoder
from freedive.topics.seq2seq.scratch import MaskedLoss
from freedive.topics.transformer import concise, scratch
from freedive.topics.transformer.blocks import Parts, Shape, init_transformer
from freedive.topics.transformer.encoder_decoder import TransformerDecoder, TransformerEncoder


@system(
    "transformer",
    section="11.7",
    data=MTFraEng,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
    presets={
        "book": {},
        "small": {  # 24 epochs of the phrasebook, or of 10,000 pairs, are minutes on a laptop
            **{"num_hiddens": 128, "ffn_num_hiddens": 256, "norm_first": True, "dropout": 0.1},
            **{"lr": 0.003, "schedule": "cosine", "num_steps": 12},
            **{"batch_size": 64, "max_epochs": 24},
        },
    },
)
class Transformer(EncoderDecoder):
    """Attention alone reads a sentence and writes its translation (section 11.7).

    Args:
        num_hiddens: numbers that stand for a token, from the first block to the last.
        ffn_num_hiddens: hidden units of the position-wise networks.
        num_heads: heads of each attention.
        num_blks: blocks of the encoder, and of the decoder.
        dropout: share that is dropped in training of each layer's result, and of the weights.
        norm_first: normalise what a layer reads (pre-norm) instead of the sum with its result
            (post-norm, as in the book).
        bias: whether the maps of the attentions have one.
    """

    parts: ClassVar[Parts] = concise.PARTS

    def __init__(
        self,
        src_vocab_size: Count = 200,
        tgt_vocab_size: Count = 200,
        src_pad: Whole = 4,
        tgt_pad: Whole = 5,
        bos: Whole = 3,
        eos: Whole = 4,
        num_steps: Count = 9,
        num_hiddens: Count = 256,
        ffn_num_hiddens: Count = 64,
        num_heads: Count = 4,
        num_blks: Count = 2,
        dropout: Probability = 0.2,
        norm_first: bool = False,
        bias: bool = False,
        lr: Positive = 0.001,
        schedule: Schedule = "constant",
    ):
        shape = Shape(
            num_hiddens,
            ffn_num_hiddens,
            num_heads,
            dropout,
            norm_first,
            bias,
            weights_dropout=dropout,
        )
        super().__init__(
            TransformerEncoder(self.parts, shape, num_blks, src_vocab_size, num_steps),
            TransformerDecoder(self.parts, shape, num_blks, tgt_vocab_size, num_steps),
        )
        self.save_hyperparameters()
        init_transformer(self)

    def _check(self, sources: Tensor, lengths: Tensor, beam: int, max_len: int) -> None:
        """Refuse what cannot be translated, and what there are no positions for."""
        super()._check(sources, lengths, beam, max_len)
        if max_len > self.num_steps:
            raise UsageError(
                f"max_len={max_len} is more than the num_steps={self.num_steps} that this "
                f"{type(self).__name__} can write: pass less, or train with a larger num_steps"
            )


@system("transformer", form="scratch")
class TransformerScratch(MaskedLoss, Transformer):
    """The transformer from tensors up (section 11.7)."""

    parts: ClassVar[Parts] = scratch.PARTS
