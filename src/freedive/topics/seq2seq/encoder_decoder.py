"""What all translators share: a reader, a writer, a masked loss, decoding (sections 10.6, 10.7)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.metrics import perplexity
from freedive.core.module import Module
from freedive.core.predicting import predicting
from freedive.core.schedules import scheduled
from freedive.topics.seq2seq.decoding import State, Task, beam_search, greedy_search
from freedive.topics.seq2seq.translating import write_looks, write_translations

if TYPE_CHECKING:
    from freedive.core.data import DataModule

ROWS = 1024  # sequences that are written at once: sentences, or beams of them
Encoded = tuple[Tensor, ...]


class Encoder(nn.Module):
    """Base of the encoders: from sentences of any length to tensors of known shapes (10.6.1)."""

    def forward(
        self, source: Int[Tensor, "batch steps"], lengths: Int[Tensor, " batch"]
    ) -> Encoded:
        """What the decoder is to know of the sentences.

        Args:
            source: rows of tokens, padded.
            lengths: how many tokens of each row are no padding; nothing else may have an effect.
        """
        raise NotImplementedError(f"{type(self).__name__} wants a forward(source, lengths)")


class Decoder(nn.Module):
    """Base of the decoders: from what has been read and written to what comes next (10.6.2).

    A state is a tuple of tensors with a row for each sentence on their first axis, so that a beam
    search can pick, double and reorder sentences whatever they hold. What the encoder has told
    stays in it as it was: each step sees the same.
    """

    def init_state(self, encoded: Encoded, lengths: Int[Tensor, " batch"]) -> State:
        """The state before the first token."""
        raise NotImplementedError(f"{type(self).__name__} wants an init_state(encoded, lengths)")

    def forward(
        self, X: Int[Tensor, "batch steps"], state: State
    ) -> tuple[Float[Tensor, "batch steps vocab"], State]:
        """Logits of the token after each, and the state after the last."""
        raise NotImplementedError(f"{type(self).__name__} wants a forward(X, state)")


def init_seq2seq(model: nn.Module) -> None:
    """Xavier's U(±√(6/(n_in + n_out))) for all matrices but the embeddings (10.7.2)."""
    for layer in model.modules():
        if "Embedding" not in type(layer).__name__:
            for parameter in layer.parameters(recurse=False):
                if parameter.dim() == 2:
                    nn.init.xavier_uniform_(parameter)


class EncoderDecoder(Module):
    """Base of the translators (section 10.6.3).

    A batch is ``(source, decoder input, source lengths, label)``. In training the decoder is given
    the true words so far, one step late: teacher forcing (section 10.7.1). A subclass takes these
    arguments, which the data know, and its own.

    Args:
        src_vocab_size: tokens of the source language.
        tgt_vocab_size: tokens of the target language.
        src_pad: the source's ``<pad>``.
        tgt_pad: the target's ``<pad>``: what the loss leaves out.
        bos: the target's ``<bos>``, with which writing begins.
        eos: the target's ``<eos>``, with which it ends.
        num_steps: the most tokens of a sentence, ``<eos>`` included.
        lr: the learning rate of Adam, or its peak where there is a schedule.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
    """

    schedule: str
    src_vocab_size: int
    tgt_vocab_size: int
    src_pad: int
    tgt_pad: int
    bos: int
    eos: int
    num_steps: int

    def __init__(self, encoder: Encoder, decoder: Decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(  # type: ignore[override]
        self,
        source: Int[Tensor, "batch steps"],
        decoder_input: Int[Tensor, "batch written"],
        source_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch written vocab"]:
        """Logits of the token after each of the decoder's inputs."""
        return self.decoder(decoder_input, self.init_state(source, source_lengths))[0]

    def loss(
        self, y_hat: Float[Tensor, "batch steps vocab"], y: Int[Tensor, "batch steps"]
    ) -> Tensor:
        """Σ l m / Σ m, the mean cross-entropy of the tokens that are no padding (10.7.5)."""
        return F.cross_entropy(y_hat.flatten(0, 1), y.flatten(), ignore_index=self.tgt_pad)

    def accuracy(
        self, y_hat: Float[Tensor, "batch steps vocab"], y: Int[Tensor, "batch steps"]
    ) -> Tensor:
        """The share of tokens told right, padding left out, given all true ones before."""
        real = y != self.tgt_pad
        return ((y_hat.argmax(dim=-1) == y) & real).sum() / real.sum()

    def validation_step(self, batch: Any) -> None:
        """Notes ``val_loss`` and ``val_acc``: words can get better when the loss does not."""
        y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(y_hat, batch[-1]), train=False)

    def weight(self, batch: Any) -> Tensor:
        """The tokens of a batch that are no padding."""
        return (batch[-1] != self.tgt_pad).sum()

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """The perplexity of a word: exp of the mean loss (section 9.3.2)."""
        return {"val_ppl": perplexity(means["val_loss"])} if "val_loss" in means else {}

    def configure_optimizers(self) -> Any:
        """Adam, with a constant rate or a schedule over all steps."""
        optim = torch.optim.Adam(self.parameters(), lr=self.lr)
        return scheduled(optim, self.trainer, self.schedule)

    def attention_axes(self, name: str) -> tuple[str, str]:
        """What stands along the queries and the keys of the attention with that name."""
        if name.startswith("encoder"):
            return "source", "source"
        return "target", "target" if "self_attention" in name else "source"

    def init_state(
        self, source: Int[Tensor, "batch steps"], lengths: Int[Tensor, " batch"]
    ) -> State:
        """The decoder's state once the sentences are read."""
        return self.decoder.init_state(self.encoder(source, lengths), lengths)

    def step(
        self, tokens: Int[Tensor, " rows"], state: State
    ) -> tuple[Float[Tensor, "rows vocab"], State]:
        """log P(next token | all before, sentence), given the last token of each row.

        ``<pad>`` and ``<bos>`` are never said: the others share their probability.
        """
        logits, state = self.decoder(tokens[:, None], state)
        unsaid = torch.tensor([self.tgt_pad, self.bos], device=logits.device)
        return logits[:, -1].float().index_fill(1, unsaid, -torch.inf).log_softmax(dim=-1), state

    def translate(
        self,
        sources: Int[Tensor, "n steps"],
        lengths: Int[Tensor, " n"],
        beam: int = 1,
        max_len: int | None = None,
    ) -> list[list[int]]:
        """The best translations found, as target tokens without ``<bos>`` and ``<eos>``.

        The model translates as it predicts, without dropout, and is left as it was.

        Args:
            sources: rows of source tokens, padded.
            lengths: their tokens that are no padding.
            beam: sequences that are kept at each step; 1 is greedy.
            max_len: the most tokens of a translation, ``<eos>`` included; None: ``num_steps``.

        Raises:
            UsageError: a sentence that is empty or too long, a number that is no token, a beam or
                a length below 1.
        """
        max_len = self.num_steps if max_len is None else max_len
        self._check(sources, lengths, beam, max_len)
        device, found, size = next(self.parameters()).device, [], max(1, ROWS // beam)
        with predicting(self):
            for first in range(0, len(sources), size):
                rows = slice(first, first + size)
                state = self.init_state(sources[rows].to(device), lengths[rows].to(device))
                task = Task(self.step, state, self.bos, self.eos, max_len)
                search = greedy_search(task) if beam == 1 else beam_search(task, beam)
                found += search.best(self.eos)
        return found

    def reread(
        self, source: Int[Tensor, "one steps"], lengths: Int[Tensor, " one"]
    ) -> tuple[tuple[Tensor, Tensor, Tensor], list[int]]:
        """One sentence with its greedy translation, as the arguments of `forward`, and the latter.

        The source is cut to its tokens; the translation stands behind ``<bos>``.
        """
        device = next(self.parameters()).device
        source, lengths = source[:, : int(lengths[0])].to(device), lengths.to(device)
        (tokens,) = self.translate(source, lengths)
        written = [self.bos, *tokens][: self.num_steps]  # without an <eos> there is one more
        return (source, torch.tensor([written], device=device), lengths), tokens

    def _check(self, sources: Tensor, lengths: Tensor, beam: int, max_len: int) -> None:
        """Refuse what cannot be translated."""
        for name, given in {"beam": beam, "max_len": max_len}.items():
            if given < 1:
                raise UsageError(f"{name} wants a whole number of at least 1, got {given}")
        if not len(sources):
            return
        shortest, longest = int(lengths.min()), int(lengths.max())
        if shortest < 1:
            raise UsageError("a sentence is empty: give each at least one word, or leave it out")
        if longest > self.num_steps:
            raise UsageError(
                f"{type(self).__name__} was made for sentences of {self.num_steps} tokens, <eos> "
                f"included, got one of {longest}: shorten it, or train with a larger num_steps"
            )
        if int(sources.min()) < 0 or int(sources.max()) >= self.src_vocab_size:
            raise UsageError(
                f"{type(self).__name__} knows source tokens 0 to {self.src_vocab_size - 1}, got "
                f"{int(sources.min())} to {int(sources.max())}: encode the sentences with the "
                "vocabulary that it was trained with"
            )

    def write_samples(self, data: "DataModule", folder: Path) -> list[str]:
        """The translations of the validation sentences with their BLEU, and what it looks at."""
        return write_translations(self, data, folder) + write_looks(self, data, folder)
