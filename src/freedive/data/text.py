"""A long text as windows of tokens, each with the one that follows (section 9.3.3)."""

import hashlib
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, Whole
from freedive.core.loader import Batch, TensorLoader
from freedive.data.codec import CLEANING, Codec
from freedive.data.tokenizers import Kind, tokenizer_class
from freedive.data.vocab import Vocab

Order = Literal["random", "sequential"]
TRAINING_SHARE = 0.9  # of a text
VALIDATION_WINDOWS = 1_000  # at most, where their number is left open


class TextData(DataModule):
    """Base of the corpora: a text to learn from, and what follows it to judge by.

    The first nine tenths are to learn from. Training windows begin at equal distances there, so
    that they see all of it; validation windows lie in the rest and do not overlap.

    Args:
        batch_size: windows per batch.
        num_steps: tokens per window.
        num_train: training windows, where there are as many; None takes one that begins at each
            token.
        num_val: validation windows; None takes what is left, up to 1,000.
        tokenizer: characters, words, or pieces of words (byte-pair encoding) as tokens.
        vocab_size: the most tokens that are told apart.
        min_freq: how often a token must occur in the training text to be known.
        order: windows in random order, or sequential: each batch goes on where the last one
            ended, and so may the state of a recurrent network.
    """

    task = "text"
    standin: ClassVar[str | None] = None
    cleaning: ClassVar[str] = "as it is"  # what is done to the text first
    num_steps: int
    num_train: int | None
    num_val: int | None
    tokenizer: str
    vocab_size: int
    min_freq: int
    order: str

    def __init__(
        self,
        batch_size: Count = 1024,
        num_steps: Count = 32,
        num_train: Count | None = 10_000,
        num_val: Count | None = None,
        tokenizer: Kind = "char",
        vocab_size: Count = 2_000,
        min_freq: Whole = 0,
        order: Order = "random",
    ):
        self.save_hyperparameters()

    def read(self) -> str:
        """The raw text."""
        raise NotImplementedError(f"{type(self).__name__} wants a read()")

    @cached_property
    def text(self) -> str:
        """The whole text, cleaned.

        Raises:
            DataError: it is empty.
        """
        text = CLEANING[self.cleaning](self.read())
        if not text.strip():
            raise DataError(f"the text of {self.label} is empty: give one with words in it")
        return text

    @cached_property
    def training_text(self) -> str:
        """The beginning of the text, up to where the validation windows are."""
        return self.text[: int(len(self.text) * TRAINING_SHARE)]

    @cached_property
    def codec(self) -> Codec:
        """How texts become numbers: learnt from the training text alone."""
        trained = tokenizer_class(self.tokenizer).trained
        tokenizer = trained(self.training_text, self.vocab_size, self.min_freq)
        return Codec(self.cleaning, tokenizer)

    @property
    def vocab(self) -> Vocab:
        """The tokens with their numbers."""
        return self.codec.vocab

    @cached_property
    def corpus(self) -> Int[Tensor, " tokens"]:
        """The numbers of all tokens."""
        return torch.tensor(self.codec.tokenizer.encode(self.text))

    @cached_property
    def windows(self) -> tuple[Int[Tensor, "train steps"], Int[Tensor, "val steps"]]:
        """Training and validation windows, each one token longer than ``num_steps``.

        Raises:
            DataError: the text is too short for one window of each, or for those asked for.
        """
        length, tokens = self.num_steps + 1, len(self.corpus)
        cut = len(self.codec.tokenizer.encode(self.training_text))
        if min(cut, tokens - cut) < length:
            raise DataError(
                f"{self.label} has {tokens:,} tokens, of which {cut:,} are to learn from, and a "
                f"window takes {length}: pass a smaller num_steps, or a longer text"
            )
        if self.order == "sequential":
            train = in_sequence(self.corpus[:cut], self.batch_size, self.num_steps)
            batches = (self.num_train or len(train)) // self.batch_size
            train = train[: max(batches, 1) * self.batch_size]
        else:
            train = spread(self.corpus[:cut], length, self.num_train)
        val = self.corpus[cut:].unfold(0, length, self.num_steps)
        if len(val) < (self.num_val or 0):
            raise DataError(
                f"{self.label} has room for {len(val):,} validation windows behind the training "
                f"text, and {self.num_val:,} are wanted: pass a smaller num_val"
            )
        return train, val[: self.num_val or VALIDATION_WINDOWS]

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of inputs and targets, (batch, steps) each: targets are one token ahead."""
        shuffle = train and self.order == "random"
        windows = self.windows[0 if train else 1]
        return TensorLoader([windows], self.batch_size, shuffle=shuffle, transform=inputs_targets)

    def model_arguments(self) -> dict[str, Any]:
        """The number of tokens that are told apart, and the length of a window."""
        return {"vocab_size": len(self.vocab), "num_steps": self.num_steps}

    def fingerprint(self) -> str:
        """The name, the SHA-256 of the text, and what decides the windows."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        settings = {k: v for k, v in self.hparams.items() if k != "file"}  # which may move
        return f"{self.name}:{digest}:{settings}"

    def assets(self) -> dict[str, Any]:
        """What is saved with a run, so that its model can be used without these data."""
        return {"text.json": self.codec.to_json()}


def inputs_targets(columns: Batch) -> Batch:
    """Windows without their last token, and without their first."""
    (windows,) = columns
    return windows[:, :-1], windows[:, 1:]


def spread(
    corpus: Int[Tensor, " tokens"], length: int, num_windows: int | None
) -> Int[Tensor, "windows length"]:
    """Windows that begin at equal distances; without a number, at every token.

    The book takes the first windows of the text instead, 10,000 of which see a sixteenth of the
    Time Machine.
    """
    windows = corpus.unfold(0, length, 1)  # a view: each token is kept once
    if num_windows is None or num_windows >= len(windows):
        return windows
    return windows[torch.arange(num_windows) * len(windows) // num_windows]


def in_sequence(
    corpus: Int[Tensor, " tokens"], batch_size: int, num_steps: int
) -> Int[Tensor, "windows length"]:
    """Windows in batches of which each goes on where the one before has ended.

    The text is cut into ``batch_size`` equal rows; batch i holds the i-th window of each.

    Raises:
        DataError: the rows are shorter than a window.
    """
    length = len(corpus) // batch_size
    if length < num_steps + 1:
        raise DataError(
            f"a training text of {len(corpus):,} tokens gives {batch_size} rows of {length}, and a "
            f"window takes {num_steps + 1}: pass a smaller batch_size or num_steps"
        )
    rows = corpus[: batch_size * length].view(batch_size, length)
    return rows.unfold(1, num_steps + 1, num_steps).transpose(0, 1).reshape(-1, num_steps + 1)
