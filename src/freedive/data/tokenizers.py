"""From text to numbers and back: characters, words, or pieces of words (section 9.2)."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal, get_args

from freedive.core.errors import DataError
from freedive.data.vocab import Vocab

Kind = Literal["char", "word", "bpe"]
KINDS = (*get_args(Kind), "space")


class Tokenizer:
    """Base of the tokenizers: how a text is cut, with the vocabulary that numbers the pieces.

    Args:
        vocab: the tokens that have a number.
    """

    kind: ClassVar[str]

    def __init__(self, vocab: Vocab):
        self.vocab = vocab

    @classmethod
    def trained(cls, text: str, vocab_size: int, min_freq: int = 0) -> "Tokenizer":
        """A tokenizer for texts such as this one.

        Args:
            text: to learn from.
            vocab_size: the most tokens that it may have, ``<unk>`` among them.
            min_freq: how often a token must occur to be known.
        """
        counted = Vocab(cls.cut(text), min_freq)
        if len(counted) <= vocab_size:
            return cls(counted)
        frequent = [token for token, _ in counted.token_freqs[: vocab_size - 1]]
        return cls(Vocab(frequent))

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        raise NotImplementedError(f"{cls.__name__} wants a cut(text)")

    @classmethod
    def head(cls, text: str, num_tokens: int) -> str:
        """The beginning of a text, of at most so many tokens: none is shorter than a character."""
        return text[:num_tokens]

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        return self.vocab[self.cut(text)]

    def decode(self, indices: Sequence[int]) -> str:
        """The text of numbers."""
        return self.join(self.vocab.idx_to_token[int(i)] for i in indices)

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        """The text of tokens."""
        return "".join(tokens)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same tokenizer from."""
        return {"kind": self.kind, "vocab": self.vocab.to_json()}

    @classmethod
    def restored(cls, record: dict[str, Any]) -> "Tokenizer":
        """From `to_json`, where the class is known."""
        return cls(Vocab.from_json(record["vocab"]))


class CharTokenizer(Tokenizer):
    """Every character is a token."""

    kind = "char"

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """The characters."""
        return list(text)


class WordTokenizer(Tokenizer):
    """Words, numbers and single marks are tokens; joined by one space each."""

    kind = "word"

    pattern: ClassVar[re.Pattern[str]] = re.compile(r"<\w+>|\w+(?:['’-]\w+)*|[^\w\s]")

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """What stands between spaces; marks stand for themselves."""
        return cls.pattern.findall(text)

    @classmethod
    def head(cls, text: str, num_tokens: int) -> str:
        """The beginning of a text, of at most so many words and marks."""
        ends = [m.end() for m in islice(cls.pattern.finditer(text), num_tokens)]
        return text[: ends[-1]] if ends else ""

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        """Words with spaces between them, and none before a mark that closes."""
        return re.sub(r" ([,.;:!?)\]’])", r"\1", " ".join(tokens))


class SpaceTokenizer(Tokenizer):
    """What stands between spaces is a token: for sentences whose marks stand apart already."""

    kind = "space"

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """What stands between spaces."""
        return text.split()

    @staticmethod
    def join(tokens: Iterable[str]) -> str:
        """The tokens with spaces between them."""
        return " ".join(tokens)


def tokenizer_class(kind: str) -> type[Tokenizer]:
    """The class for a kind's name."""
    if kind == "bpe":  # brings in a library that the others do without
        from freedive.data.bpe import BPETokenizer

        return BPETokenizer
    return next(c for c in (CharTokenizer, WordTokenizer, SpaceTokenizer) if c.kind == kind)


def from_json(record: Any) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_json` described.

    Raises:
        DataError: the description is damaged.
    """
    if not isinstance(record, dict) or record.get("kind") not in KINDS:
        raise DataError("this describes no tokenizer: restore the run's text.json")
    try:
        return tokenizer_class(record["kind"]).restored(record)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"the description of a tokenizer is damaged ({error}): restore the run's text.json"
        ) from None
