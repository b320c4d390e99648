"""T5: an encoder that reads a text with gaps, and a decoder that fills them (section 11.9.2)."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, Positive, Probability
from freedive.core.module import Classifier
from freedive.core.predicting import predicting
from freedive.core.random import generator
from freedive.core.schedules import Schedule, scheduled
from freedive.data.text import TextData
from freedive.data.time_machine import TimeMachine
from freedive.topics.seq2seq.decoding import State, Task, greedy_search
from freedive.topics.transformer.blocks import Shape, init_transformer
from freedive.topics.transformer.concise import PARTS
from freedive.topics.transformer.encoder_decoder import TransformerDecoder, TransformerEncoder
from freedive.topics.transformer.filling import write_spans
from freedive.topics.transformer.span_corruption import Spans

WRITTEN = 3  # where the decoder's state holds what it has written so far


@system(
    "t5",
    section="11.9.2",
    data=TimeMachine,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
    data_settings={"num_steps": 64, "batch_size": 64},
    presets={
        "small": {"num_hiddens": 64, "num_heads": 4, "num_blks": 2, "max_epochs": 8,
                  "batch_size": 32, "lr": 3e-3, "dropout": 0.0}
    },
)  # fmt: skip
class T5(Classifier):
    """An encoder reads a text with gaps, and a decoder tells what is missing (section 11.9.2).

    A batch is windows of a text; what is cut out of them is drawn anew for each batch in training,
    and is always the same in validation. Positions are sines and cosines, as in section 11.7; the
    original learns how much each distance counts.

    Args:
        vocab_size: tokens that are told apart; sentinels get numbers of their own.
        num_steps: tokens of a window.
        masked: share of the tokens that is cut out, about; one span at least.
        span_length: tokens that are cut out together.
        num_hiddens: numbers that stand for a token, from the first block to the last.
        num_heads: heads of each attention.
        num_blks: blocks of the encoder, and of the decoder.
        dropout: share of each layer's result that is dropped in training.
        lr: the learning rate of Adam, or its peak where there is a schedule.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
    """

    masked: float
    schedule: str
    span_length: int
    vocab_size: int

    def __init__(
        self,
        vocab_size: Count = 28,
        num_steps: Count = 64,
        masked: Probability = 0.15,
        span_length: Count = 3,
        num_hiddens: Count = 256,
        num_heads: Count = 4,
        num_blks: Count = 3,
        dropout: Probability = 0.1,
        lr: Positive = 1e-3,
        schedule: Schedule = "cosine",
    ):
        super().__init__()
        self.save_hyperparameters()
        self.spans = self.spans_of(num_steps)
        shape = Shape(num_hiddens, 4 * num_hiddens, num_heads, dropout, norm_first=True)
        longest = max(num_steps, self.spans.target_steps)
        sizes = num_blks, self.spans.num_tokens, longest
        self.encoder = TransformerEncoder(PARTS, shape, *sizes)
        self.decoder = TransformerDecoder(PARTS, shape, *sizes)
        init_transformer(self)

    def forward(
        self, source: Int[Tensor, "batch steps"], written: Int[Tensor, "batch told"] | None = None
    ) -> Float[Tensor, "batch places num_tokens"]:
        """Logits of the token after each that is written.

        Args:
            source: what is read.
            written: what the decoder is given; None lets it write after each token of the source.
        """
        return self.decoder(source if written is None else written, self.init_state(source))[0]

    def init_state(self, source: Int[Tensor, "batch steps"]) -> State:
        """The decoder's state once the texts are read: no place of them is padding."""
        lengths = source.new_full((len(source),), source.shape[1])
        return self.decoder.init_state(self.encoder(source, lengths), lengths)

    def training_step(self, batch: Any) -> Tensor:
        """The mean cross-entropy of the whole target, with spans cut out at random."""
        X = batch[0]
        spans = self.spans_of(X.shape[1])
        starts = spans.draw(len(X), X.device)
        target = spans.target(X, starts)
        loss = self.loss(self(spans.read(X, starts), spans.written(target)), target)
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Notes ``val_loss`` and ``val_acc`` of the spans' tokens, given all true ones before.

        The sentinels follow from their places, and would only make both look better.
        """
        spans, source, target = self.fixed_task(batch[0])
        logits = self(source, spans.written(target))
        told, true = spans.inner(logits), spans.inner(target)
        self.plot("loss", self.loss(told, true), train=False)
        self.plot("acc", self.accuracy(told, true), train=False)

    def spans_of(self, num_steps: int) -> Spans:
        """What is cut out of windows of that length."""
        return Spans.of(self.masked, self.vocab_size, num_steps, self.span_length)

    def fixed_task(self, X: Int[Tensor, "batch steps"]) -> tuple[Spans, Tensor, Tensor]:
        """What validation reads and wants: cut from one seed, so that there is no chance in it.

        A shorter batch is cut like the first rows of a longer one.
        """
        spans = self.spans_of(X.shape[1])
        starts = spans.draw(len(X), X.device, generator(0))
        return spans, spans.read(X, starts), spans.target(X, starts)

    def configure_optimizers(self) -> Any:
        """Adam, with a constant rate or a schedule over all steps."""
        optim = torch.optim.Adam(self.parameters(), lr=self.lr)
        return scheduled(optim, self.trainer, self.schedule)

    def fill(self, source: Int[Tensor, "batch source"]) -> Int[Tensor, "batch spans length"]:
        """What stands in the gaps: the likeliest token each time, given those before.

        Args:
            source: rows of tokens, in which the sentinels of as many gaps stand in their order.

        Raises:
            UsageError: rows with no, too many, unequally many or other sentinels.
        """
        spans = self._spans_in(source)
        with predicting(self):
            state = self.init_state(source.to(next(self.parameters()).device))
            step = partial(self.step, spans)
            found = greedy_search(Task(step, state, spans.begin, spans.end, spans.target_steps))
        return spans.inner(found.tokens[:, 0]).to(source.device)

    def step(
        self, spans: Spans, tokens: Int[Tensor, " rows"], state: State
    ) -> tuple[Float[Tensor, "rows num_tokens"], State]:
        """log P(next token | all before, source), given the last token of each row.

        Each sentinel is said where it is due, for the length of the spans is known.
        """
        place = state[WRITTEN].shape[2]
        logits, state = self.decoder(tokens[:, None], state)
        numbers = torch.arange(logits.shape[-1], device=logits.device)
        unsaid = ~spans.sayable(place, numbers)
        return logits[:, -1].float().masked_fill(unsaid, -torch.inf).log_softmax(dim=-1), state

    def _spans_in(self, source: Tensor) -> Spans:
        """The spans that were cut out of what is read."""
        first, most = self.spans.first, self.spans.num_spans
        gaps = source >= first
        count = int(gaps[:1].sum())
        wanted = torch.arange(first, first + count, device=source.device).expand(len(source), -1)
        if not 1 <= count <= most or source[gaps].tolist() != wanted.flatten().tolist():
            raise UsageError(
                f"{type(self).__name__} fills rows with 1 to {most} gaps, equally many in each, "
                f"numbered from {first} in their order; the first row has {count}: mark each gap "
                "by its number"
            )
        num_steps = source.shape[1] + count * (self.span_length - 1)
        return Spans(self.vocab_size, num_steps, count, self.span_length)

    def write_samples(self, data: Any, folder: Path) -> list[str]:
        """Some validation windows with their gaps, and what the frequencies alone would cost."""
        return write_spans(self, data, folder) if isinstance(data, TextData) else []
