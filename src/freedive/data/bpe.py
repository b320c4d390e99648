"""Pieces of words as tokens: byte-pair encoding, by the library `tokenizers` (section 9.2.2).

It starts from characters and joins, again and again, the pair of neighbours that is met most
often. What is joined never reaches beyond a word with the space before it. The same from scratch
stands in `freedive.topics.sequences.bpe`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer as Library
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from freedive.data.tokenizers import CharTokenizer, Tokenizer
from freedive.data.vocab import UNKNOWN, Vocab

# letters with the space before them, digits and marks with theirs, or other white space
WORD = re.compile(r" ?[^\s!-@\[-`{-~]+| ?[!-@\[-`{-~]+|\s+(?!\S)|\s+")

Merge = tuple[str, str]


class BPETokenizer(Tokenizer):
    """The frequent pieces of words are tokens; spaces and line ends are kept, so texts come back.

    Args:
        vocab: ``<unk>``, the characters in their order, then the pieces as they were joined.
        merges: which two tokens are joined, the most urgent first.
    """

    kind = "bpe"

    def __init__(self, vocab: Vocab, merges: Sequence[Merge]):
        super().__init__(vocab)
        self.merges = list(merges)
        self._model = BPE(vocab.token_to_idx, self.merges, unk_token=UNKNOWN)

    @classmethod
    def trained(cls, text: str, vocab_size: int, min_freq: int = 0) -> "BPETokenizer":
        """A tokenizer for texts such as this one.

        Args:
            text: to learn from.
            vocab_size: the most tokens that it may have, ``<unk>`` and characters among them.
            min_freq: how often a character must occur, and a pair be met, to become a token.
        """
        library = Library(BPE(unk_token=UNKNOWN))
        trainer = BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_freq,
            special_tokens=[UNKNOWN],
            show_progress=False,
        )
        library.train_from_iterator(training_words(text, vocab_size, min_freq), trainer)
        learnt = json.loads(library.to_str())["model"]
        tokens = sorted(learnt["vocab"], key=learnt["vocab"].get)
        return cls(Vocab.of(tokens), [(left, right) for left, right in learnt["merges"]])

    def cut(self, text: str) -> list[str]:  # type: ignore[override]  # needs what was learnt
        """The pieces of a text; a character that is not known is one of its own."""
        words = WORD.findall(text)
        pieces = {word: list(self._pieces(word)) for word in dict.fromkeys(words)}
        return [piece for word in words for piece in pieces[word]]

    def _pieces(self, word: str) -> Iterator[str]:
        content = word.encode()  # the library counts in bytes
        for token in self._model.tokenize(word):
            start, end = token.offsets
            yield content[start:end].decode()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same tokenizer from."""
        return {**super().to_json(), "merges": [list(merge) for merge in self.merges]}

    @classmethod
    def restored(cls, record: dict[str, Any]) -> "BPETokenizer":
        """From `to_json`.

        Raises:
            ValueError: the merges do not fit the vocabulary.
        """
        vocab = Vocab.from_json(record["vocab"])
        merges = [(left, right) for left, right in record["merges"]]
        for left, right in merges:
            if not {left, right, left + right} <= vocab.token_to_idx.keys():
                raise ValueError(f"it joins {left!r} and {right!r}, and lacks one of the tokens")
        return cls(vocab, merges)


def training_words(text: str, vocab_size: int, min_freq: int = 0) -> Iterable[str]:
    """The words to learn from, cut where a character is too rare to be known."""
    known = CharTokenizer.trained(text, vocab_size, min_freq).vocab
    rare = "".join(sorted(set(text) - known.token_to_idx.keys()))
    words = WORD.findall(text)
    if not rare:
        return words
    return (part for word in words for part in re.split(f"[{re.escape(rare)}]", word))
