"""Sentence pairs as arrays of tokens (section 10.5)."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, Whole
from freedive.core.loader import TensorLoader
from freedive.core.random import generator
from freedive.data.codec import Codec, spaced_marks
from freedive.data.tokenizers import SpaceTokenizer
from freedive.data.vocab import Vocab

Pair = tuple[str, str]
Pairs = list[Pair]
Split = Literal["first", "random"]
BOS, EOS, PAD = "<bos>", "<eos>", "<pad>"
CLEANING = "sentences"


class TranslationData(DataModule):
    """Base of the parallel corpora: sentences with their translations.

    A batch is ``(source, decoder input, source lengths, label)``: each row of tokens ends with
    ``<eos>`` and is filled with ``<pad>``; the decoder's input is the label one step late, behind
    ``<bos>``; a length counts the tokens that are no padding. Both vocabularies are learnt from
    the training pairs alone; no source sentence is in both parts, and none twice in validation.

    Args:
        batch_size: pairs per batch.
        num_steps: tokens per sentence, ``<eos>`` included; longer pairs are left out.
        num_train: training pairs; None takes all but those for validation.
        num_val: validation pairs.
        min_freq: how often a word must occur in the training pairs to be known.
        split: take the first pairs, which are the shortest in sorted files, or draw at random.
        split_seed: of that drawing.
    """

    task = "sentence pairs"
    standin: ClassVar[str | None] = None
    num_steps: int
    num_train: int | None
    num_val: int
    min_freq: int
    split: str
    split_seed: int

    def __init__(
        self,
        batch_size: Count = 128,
        num_steps: Count = 9,
        num_train: Count | None = 512,
        num_val: Count = 128,
        min_freq: Whole = 2,
        split: Split = "first",
        split_seed: Whole = 0,
    ):
        self.save_hyperparameters()

    def read(self) -> Pairs:
        """All pairs, raw."""
        raise NotImplementedError(f"{type(self).__name__} wants a read()")

    @cached_property
    def pairs(self) -> tuple[Pairs, Pairs]:
        """Training and validation pairs, cleaned: words and marks between single spaces.

        Raises:
            DataError: there are not enough that are short enough.
        """
        fitting = self._fitting()
        if self.num_train is None:
            every = list(fitting)
            val = distinct(reversed(every), self.num_val)
            train = [pair for pair in every if pair[0] not in val]
        else:
            train = list(islice(fitting, self.num_train))
            known = {source for source, _ in train}
            val = distinct((pair for pair in fitting if pair[0] not in known), self.num_val)
        if not train or len(val) < self.num_val:
            raise DataError(
                f"{self.label} gives {len(train):,} training and {len(val):,} validation pairs of "
                f"fewer than {self.num_steps} words, and {self.num_train or 1:,} and "
                f"{self.num_val:,} at least are wanted: pass a smaller num_train or num_val, or a "
                "larger num_steps"
            )
        return train, list(val.items())

    def _fitting(self) -> Iterator[Pair]:
        """The pairs in their order, cleaned one by one as they are asked for."""
        raw = self.read()
        order: Iterable[int] = range(len(raw))
        if self.split == "random":
            order = torch.randperm(len(raw), generator=generator(self.split_seed)).tolist()
        for i in order:
            source, target = (spaced_marks(side).split() for side in raw[i])
            if 0 < len(source) < self.num_steps and 0 < len(target) < self.num_steps:
                yield " ".join(source), " ".join(target)

    @cached_property
    def codecs(self) -> tuple[Codec, Codec]:
        """How sentences of the source and of the target language become numbers."""
        sources, targets = zip(*self.pairs[0], strict=True)
        specials = ([PAD, EOS], [PAD, BOS, EOS])
        vocabs = (
            Vocab((s.split() for s in side), self.min_freq, reserved)
            for side, reserved in zip((sources, targets), specials, strict=True)
        )
        source, target = (Codec(CLEANING, SpaceTokenizer(vocab)) for vocab in vocabs)
        return source, target

    @property
    def src_vocab(self) -> Vocab:
        """The words of the source language."""
        return self.codecs[0].vocab

    @property
    def tgt_vocab(self) -> Vocab:
        """The words of the target language."""
        return self.codecs[1].vocab

    def arrays(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pairs as the four columns of a batch."""
        sources, targets = ([pair[i] for pair in pairs] for i in (0, 1))
        source, lengths = padded(sources, self.src_vocab, self.num_steps)
        label, _ = padded(targets, self.tgt_vocab, self.num_steps)
        begin = torch.full((len(label), 1), self.tgt_vocab[BOS])
        return source, torch.cat([begin, label[:, :-1]], dim=1), lengths, label

    @cached_property
    def columns(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The training and the validation pairs as arrays."""
        train, val = (self.arrays(pairs) for pairs in self.pairs)
        return train, val

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of source, decoder input, source lengths and label; shuffled for training."""
        return TensorLoader(self.columns[0 if train else 1], self.batch_size, shuffle=train)

    def model_arguments(self) -> dict[str, Any]:
        """The sizes of both vocabularies, the special tokens' numbers, the length of a row."""
        return {
            "src_vocab_size": len(self.src_vocab),
            "tgt_vocab_size": len(self.tgt_vocab),
            "src_pad": self.src_vocab[PAD],
            "tgt_pad": self.tgt_vocab[PAD],
            "bos": self.tgt_vocab[BOS],
            "eos": self.tgt_vocab[EOS],
            "num_steps": self.num_steps,
        }

    def fingerprint(self) -> str:
        """The name, the SHA-256 of all pairs, and the settings."""
        digest = hashlib.sha256(repr(self.pairs).encode()).hexdigest()
        settings = {k: v for k, v in self.hparams.items() if k != "file"}  # which may move
        return f"{self.name}:{digest}:{settings}"

    def assets(self) -> dict[str, Any]:
        """Both codecs, so that a run's model can translate without these data."""
        source, target = self.codecs
        return {"text.json": {"source": source.to_json(), "target": target.to_json()}}


def distinct(pairs: Iterable[Pair], count: int) -> dict[str, str]:
    """The first pairs with so many different sources; of equal ones the first pair."""
    found: dict[str, str] = {}
    for source, target in pairs:
        if len(found) == count:
            break
        found.setdefault(source, target)
    return found


def padded(
    sentences: Sequence[str], vocab: Vocab, num_steps: int
) -> tuple[Int[Tensor, "n steps"], Int[Tensor, " n"]]:
    """Sentences as rows of numbers with ``<eos>`` at their ends, and their lengths with it.

    Raises:
        DataError: a sentence has no room for its ``<eos>``.
    """
    rows = [[*vocab[sentence.split()], vocab[EOS]] for sentence in sentences]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
    if len(rows) and int(lengths.max()) > num_steps:
        longest = max(sentences, key=lambda sentence: len(sentence.split()))
        raise DataError(
            f"a sentence of {len(longest.split())} words ({longest[:40]!r} …) is longer than the "
            f"{num_steps - 1} that fit before <eos>: shorten it, or pass a larger num_steps"
        )
    array = torch.full((len(rows), num_steps), vocab[PAD])
    mask = torch.arange(num_steps) < lengths[:, None]
    array[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.long)
    return array, lengths
