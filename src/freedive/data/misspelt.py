"""Is this text as it was written? Windows of a text, in half of which letters changed places.

A task with labels that any text gives by itself: what is learnt from the text alone, without
labels, should help where labels are few (section 11.9.1).
"""

from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, Whole
from freedive.core.loader import TensorLoader
from freedive.core.random import generator
from freedive.data.text import TextData
from freedive.data.time_machine import Tales, TimeMachine

Labelled = tuple[Int[Tensor, "n steps"], Int[Tensor, " n"]]


class MisspeltText(TextData):
    """Base of the texts with mistakes: a window, and whether letters changed places in it.

    Windows begin at equal distances, those to learn from in the first nine tenths of the text.
    Half of them, drawn at random, are misspelt: in some of their words, two neighbouring letters
    that differ have been exchanged. The tokens are the characters, numbered as in the text's own
    data set, so that the weights of a model of characters fit.

    Args:
        batch_size: windows per batch.
        num_steps: characters per window.
        num_train: labelled windows to learn from.
        num_val: labelled windows to judge by, which may overlap.
        swaps: words of a misspelt window in which two letters are exchanged, or all its words of
            different letters, where these are fewer.
        swap_seed: of the drawing of windows, words and letters.
    """

    task = "text with labels"
    class_names: ClassVar[tuple[str, ...]] = ("as written", "misspelt")
    swaps: int
    swap_seed: int

    def __init__(
        self,
        batch_size: Count = 32,
        num_steps: Count = 64,
        num_train: Count = 200,
        num_val: Count = 1_000,
        swaps: Count = 8,
        swap_seed: Whole = 0,
    ):
        super().__init__(batch_size, num_steps, num_train, num_val)
        self.save_hyperparameters()

    @cached_property
    def examples(self) -> tuple[Labelled, Labelled]:
        """Windows and labels, for training and for validation.

        Raises:
            DataError: the text has no room for so many windows.
        """
        cut = len(self.codec.tokenizer.encode(self.training_text))
        parts = self.corpus[:cut], self.corpus[cut:]
        counts = self.num_train or 0, self.num_val or 0
        train, val = (
            self._labelled(part, n, i)
            for i, (part, n) in enumerate(zip(parts, counts, strict=True))
        )
        return train, val

    def _labelled(self, corpus: Int[Tensor, " tokens"], count: int, stream: int) -> Labelled:
        """So many windows of a text, half of them misspelt."""
        space = self.vocab[" "]
        starts = swappable_starts(corpus, self.num_steps, space)
        if len(starts) < count:
            raise DataError(
                f"{self.label} has room for {len(starts):,} windows of {self.num_steps} characters "
                f"with two letters to exchange, and {count:,} are wanted: pass a smaller num_train "
                "or num_val, or a longer text"
            )
        starts = starts[torch.arange(count) * len(starts) // count]
        windows = corpus[starts[:, None] + torch.arange(self.num_steps)]
        chance = generator(self.swap_seed, stream)
        labels = torch.randperm(count, generator=chance) % 2
        wrong = exchanged(windows, space, self.swaps, chance)
        return torch.where(labels[:, None] == 1, wrong, windows), labels

    def get_dataloader(self, train: bool) -> TensorLoader:
        """Batches of windows, (batch, steps), and labels: 0 as written, 1 misspelt."""
        return self.get_tensorloader(self.examples[0 if train else 1], train)

    def model_arguments(self) -> dict[str, Any]:
        """The number of tokens that are told apart, the length of a window, the kinds of labels."""
        return {**super().model_arguments(), "num_classes": len(self.class_names)}


def swappable(tokens: Int[Tensor, "*n steps"], space: int) -> Bool[Tensor, "*n pairs"]:
    """Whether a token and the next are different letters of one word."""
    left, right = tokens[..., :-1], tokens[..., 1:]
    return (left != space) & (right != space) & (left != right)


def swappable_starts(
    corpus: Int[Tensor, " tokens"], num_steps: int, space: int
) -> Int[Tensor, " windows"]:
    """Where windows begin in which there is something to exchange."""
    if len(corpus) < num_steps or num_steps < 2:
        return torch.empty(0, dtype=torch.long)
    before = torch.cat([torch.zeros(1, dtype=torch.long), swappable(corpus, space).cumsum(0)])
    inside = before[num_steps - 1 :] - before[: len(before) - num_steps + 1]
    return inside.nonzero()[:, 0]


def exchanged(
    windows: Int[Tensor, "n steps"], space: int, swaps: int, chance: torch.Generator
) -> Int[Tensor, "n steps"]:
    """The windows with two neighbouring letters exchanged in each of ``swaps`` words.

    In a word, each pair of different letters is as likely as another, and so is each word.
    """
    able = swappable(windows, space)
    word = (windows == space).cumsum(dim=1)[:, :-1]  # the number of the word that a pair is in
    lots, ranks = (torch.rand(able.shape, generator=chance).argsort(dim=1) for _ in range(2))
    lots = lots.masked_fill(~able, -1)  # whole numbers, no two equal
    highest = torch.full_like(windows, -1).scatter_reduce(1, word, lots, "amax")
    drawn = able & (lots == highest.gather(1, word))  # one pair of each word
    best, pairs = ranks.masked_fill(~drawn, -1).topk(min(swaps, able.shape[1]), dim=1)
    chosen = torch.zeros_like(able).scatter(1, pairs, best >= 0).long()
    order = torch.arange(windows.shape[1]).expand_as(windows).clone()
    order[:, :-1] += chosen
    order[:, 1:] -= chosen
    return windows.gather(1, order)


class Misspelt(MisspeltText, TimeMachine):
    """Windows of The Time Machine, in half of which letters changed places."""

    name = "misspelt"
    standin = "misspelt-tales"


class MisspeltTales(MisspeltText, Tales):
    """Windows of the tales, in half of which letters changed places: needs no file.

    Args:
        data_seed: of the telling.
        num_chars: length of the text.
    """

    name = "misspelt-tales"
    standin = None

    def __init__(
        self,
        batch_size: Count = 32,
        num_steps: Count = 64,
        num_train: Count = 200,
        num_val: Count = 1_000,
        swaps: Count = 8,
        swap_seed: Whole = 0,
        data_seed: Whole = 0,
        num_chars: Count = 200_000,
    ):
        super().__init__(batch_size, num_steps, num_train, num_val, swaps, swap_seed)
        self.save_hyperparameters()
