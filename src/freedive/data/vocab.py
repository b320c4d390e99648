"""The tokens that a model knows, each with its number (section 9.2.3)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, overload

from torch import Tensor

from freedive.core.errors import DataError, UsageError

UNKNOWN = "<unk>"


class Vocab:
    """Numbers for tokens: the frequent and the reserved ones, and ``<unk>`` for all others.

    The numbers follow the order of the tokens' characters, so that they do not depend on how
    often a token occurs.

    Args:
        tokens: of a corpus, one after the other or in lists.
        min_freq: how often a token must occur to get a number of its own.
        reserved_tokens: get one in any case, such as ``<pad>``.
    """

    def __init__(
        self,
        tokens: Iterable[str] | Iterable[Sequence[str]] = (),
        min_freq: int = 0,
        reserved_tokens: Iterable[str] = (),
    ):
        counts = Counter(_flat(tokens))
        # of equally frequent tokens the first in the alphabet comes first
        self.token_freqs = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        frequent = {token for token, count in counts.items() if count >= min_freq}
        self._number(sorted({UNKNOWN, *reserved_tokens, *frequent}))

    @classmethod
    def of(cls, idx_to_token: Sequence[str]) -> "Vocab":
        """A vocabulary of these tokens, in this order."""
        vocab = cls()
        vocab._number(list(idx_to_token))
        return vocab

    def _number(self, tokens: list[str]) -> None:
        self.idx_to_token = tokens
        self.token_to_idx = {token: i for i, token in enumerate(tokens)}

    def __len__(self) -> int:
        return len(self.idx_to_token)

    def __contains__(self, token: object) -> bool:
        return token in self.token_to_idx

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and self.idx_to_token == other.idx_to_token

    def __hash__(self) -> int:
        return hash(tuple(self.idx_to_token))

    @property
    def unk(self) -> int:
        """The number of every token that is not known."""
        return self.token_to_idx[UNKNOWN]

    @overload
    def __getitem__(self, tokens: str) -> int: ...  # type: ignore[overload-overlap]

    @overload
    def __getitem__(self, tokens: Sequence[str]) -> list[int]: ...

    def __getitem__(self, tokens: str | Sequence[str]) -> int | list[int]:
        """The number of a token; for a list, the list of their numbers."""
        if isinstance(tokens, str):
            return self.token_to_idx.get(tokens, self.unk)
        known, unk = self.token_to_idx, self.unk
        return [known.get(token, unk) for token in tokens]

    def to_tokens(self, indices: int | Tensor | Sequence[int]) -> str | list[str]:
        """The token of a number; for a list or a one-axis tensor, the list of their tokens.

        Raises:
            UsageError: a number that no token has.
        """
        numbers: Any = indices.tolist() if isinstance(indices, Tensor) else indices
        if isinstance(numbers, Integral):
            return self._token(int(numbers))
        return [self._token(int(i)) for i in numbers]

    def _token(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise UsageError(
                f"no token has the number {index}: this vocabulary numbers them from 0 to "
                f"{len(self) - 1}"
            )
        return self.idx_to_token[index]

    def to_json(self) -> list[str]:
        """What `of` makes the same vocabulary from."""
        return self.idx_to_token

    @classmethod
    def from_json(cls, tokens: Any) -> "Vocab":
        """From `to_json`.

        Raises:
            DataError: this is no list of different tokens with ``<unk>`` among them.
        """
        whole = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if not whole or len(set(tokens)) < len(tokens) or UNKNOWN not in tokens:
            raise DataError(
                f"a vocabulary wants a list of different tokens with {UNKNOWN} among them, got "
                f"{json.dumps(tokens)[:60]}: restore the run's text.json"
            )
        return cls.of(tokens)


def _flat(tokens: Iterable[str] | Iterable[Sequence[str]]) -> Iterator[str]:
    for token in tokens:
        if isinstance(token, str):
            yield token
        else:
            yield from token
