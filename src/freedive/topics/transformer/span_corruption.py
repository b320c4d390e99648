"""Spans of a text cut out, and told again: what T5 is taught with (section 11.9.2).

All windows lose equally many spans of equal length, so that all shapes are fixed. Behind a
vocabulary of V tokens, V begins what is written, V + 1 + s is the sentinel of span s = 0, …, S - 1,
and the one after them ends:

    the text          the time machine by
    what is read      the [0] machi[1]by
    what is written   [0]time[1]ne [2]
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freedive.core.errors import UsageError


@dataclass(frozen=True)
class Spans:
    """Which spans are cut out of windows, and where their tokens go.

    Attributes:
        vocab_size: V, tokens that are told apart.
        num_steps: tokens of a window.
        num_spans: S, spans that are cut out of each.
        length: tokens of a span.
    """

    vocab_size: int
    num_steps: int
    num_spans: int
    length: int

    def __post_init__(self) -> None:
        wanted = self.num_spans * (self.length + 1) - 1
        if self.num_steps < wanted:
            raise UsageError(
                f"{self.num_spans} spans of {self.length} tokens, with one between them at least, "
                f"want {wanted} tokens, and a window has num_steps={self.num_steps}: pass a larger "
                "num_steps, or a smaller masked or span_length"
            )

    @classmethod
    def of(cls, share: float, vocab_size: int, num_steps: int, length: int) -> "Spans":
        """So many spans that about this share of the tokens is cut out; one at least."""
        return cls(vocab_size, num_steps, max(1, round(share * num_steps / length)), length)

    @property
    def begin(self) -> int:
        """What the decoder is given first."""
        return self.vocab_size

    @property
    def first(self) -> int:
        """The sentinel of the first span."""
        return self.vocab_size + 1

    @property
    def end(self) -> int:
        """The sentinel that ends the target."""
        return self.first + self.num_spans

    @property
    def num_tokens(self) -> int:
        """Tokens, the one that begins, and sentinels."""
        return self.end + 1

    @property
    def source_steps(self) -> int:
        """Tokens of what is read."""
        return self.num_steps - self.num_spans * (self.length - 1)

    @property
    def target_steps(self) -> int:
        """Tokens of what is told."""
        return self.num_spans * (self.length + 1) + 1

    def draw(
        self,
        batch: int,
        device: torch.device | None = None,
        chance: torch.Generator | None = None,
    ) -> Int[Tensor, "batch spans"]:
        """Where the spans of each window begin, all ways alike to be drawn.

        With all but one of its tokens and of the gap behind it taken out, a span is one place of
        those that are left, and any S of them will do.
        """
        free = self.num_steps + 1 - self.num_spans * self.length
        lots = torch.rand(batch, free, generator=chance, device=device if chance is None else None)
        places = lots.topk(self.num_spans, dim=1).indices.sort(dim=1).values.to(device)
        return places + torch.arange(self.num_spans, device=device) * self.length

    def read(
        self, X: Int[Tensor, "batch steps"], starts: Int[Tensor, "batch spans"]
    ) -> Int[Tensor, "batch source"]:
        """The windows with a sentinel for each span."""
        shorter = self.length - 1
        sentinels = starts - shorter * torch.arange(self.num_spans, device=X.device)
        places = torch.arange(self.source_steps, device=X.device)[:, None]
        behind = (sentinels[:, None] < places).sum(dim=2)  # spans before each place
        kept = X.gather(1, places[:, 0] + shorter * behind)
        return torch.where((sentinels[:, None] == places).any(2), self.first + behind, kept)

    def target(
        self, X: Int[Tensor, "batch steps"], starts: Int[Tensor, "batch spans"]
    ) -> Int[Tensor, "batch told"]:
        """Each sentinel with the tokens of its span, and the last one."""
        inside = starts[..., None] + torch.arange(self.length, device=X.device)
        tokens = X.gather(1, inside.flatten(1)).unflatten(1, (self.num_spans, self.length))
        numbers = torch.arange(self.first, self.end, device=X.device)
        named = torch.cat([numbers[:, None].expand(len(X), -1, 1), tokens], dim=2).flatten(1)
        return torch.cat([named, torch.full_like(named[:, :1], self.end)], dim=1)

    def written(self, target: Int[Tensor, "batch told"]) -> Int[Tensor, "batch told"]:
        """What the decoder is given: the target one step late."""
        return torch.cat([torch.full_like(target[:, :1], self.begin), target[:, :-1]], dim=1)

    def inner(self, told: Tensor) -> Tensor:
        """What is told of the spans' own tokens: (batch, told, …) to (batch, spans, length, …)."""
        return told[:, :-1].unflatten(1, (self.num_spans, self.length + 1))[:, :, 1:]

    def sayable(
        self, place: int, numbers: Int[Tensor, " num_tokens"]
    ) -> Bool[Tensor, " num_tokens"]:
        """Which numbers may stand at a place of a target: the sentinel due, or any token."""
        span, inside = divmod(place, self.length + 1)
        return numbers < self.vocab_size if inside else numbers == self.first + span
