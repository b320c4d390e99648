"""How a model reads and writes text: cleaning and tokenizer in one, saved with each run."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from freedive.core.errors import DataError, UsageError
from freedive.data.tokenizers import Tokenizer, from_json
from freedive.data.vocab import Vocab


def as_it_is(text: str) -> str:
    """The text itself."""
    return text


def letters_only(text: str) -> str:
    """Lower case, with one space for whatever is no letter (section 9.2.1)."""
    return re.sub("[^A-Za-z]+", " ", text).lower()


def spaced_marks(text: str) -> str:
    """Lower case, plain spaces, and one before each of ``, . ! ?`` (section 10.5.1)."""
    text = text.replace("\u202f", " ").replace("\xa0", " ").lower()
    return re.sub(r"(?<=\S)(?=[,.!?])", " ", text)


CLEANING: dict[str, Callable[[str], str]] = {
    "as it is": as_it_is,
    "letters": letters_only,
    "sentences": spaced_marks,
}


@dataclass(frozen=True)
class Codec:
    """Text to numbers and back.

    Attributes:
        cleaning: name of what is done to a text first, one of `CLEANING`.
        tokenizer: cuts and numbers it.
    """

    cleaning: str
    tokenizer: Tokenizer

    @property
    def vocab(self) -> Vocab:
        """The tokens that are known."""
        return self.tokenizer.vocab

    def clean(self, text: str) -> str:
        """The text as the tokenizer gets it."""
        return CLEANING[self.cleaning](text)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        return self.tokenizer.encode(self.clean(text))

    def decode(self, indices: Sequence[int]) -> str:
        """The text of numbers."""
        return self.tokenizer.decode(indices)

    def encode_prompt(self, prompt: str) -> list[int]:
        """The numbers of a prompt; what a model was never shown is refused, not passed over.

        Raises:
            UsageError: the prompt is empty, or has tokens or characters that are not known.
        """
        if not prompt.strip():
            raise UsageError("a prompt wants at least one word or letter, got nothing: type one")
        strange = self.unknown(prompt)
        if strange:
            listed = ", ".join(map(repr, strange[:5]))
            some = self.vocab.to_tokens(range(min(40, len(self.vocab))))
            raise UsageError(
                f"the prompt has {listed}, which this model was never shown: leave it out "
                f"(it knows {' '.join(some).strip()}{' …' if len(self.vocab) > 40 else ''})"
            )
        return self.encode(prompt)

    def unknown(self, text: str) -> list[str]:
        """What of a text is not known, each once: lost in cleaning, or not in the vocabulary."""
        cleaned = self.clean(text)
        kept = set(cleaned)
        lost = [c for c in text if not (c.isspace() or c in kept or c.lower() in kept)]
        pieces = self.tokenizer.cut(cleaned)
        return list(dict.fromkeys(lost + [p for p in pieces if p not in self.vocab]))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same codec from."""
        return {"cleaning": self.cleaning, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, record: Any) -> "Codec":
        """From `to_json`.

        Raises:
            DataError: the description is damaged.
        """
        if not isinstance(record, dict) or record.get("cleaning") not in CLEANING:
            raise DataError("this describes no codec: restore the run's text.json")
        return cls(record["cleaning"], from_json(record.get("tokenizer")))
