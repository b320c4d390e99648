"""What the book says about translation data, as checks (section 10.5)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.data.codec import Codec
from freedive.data.tokenizers import SpaceTokenizer
from freedive.data.translation import BOS, CLEANING, EOS, PAD, Pairs, TranslationData, padded
from freedive.data.vocab import UNKNOWN, Vocab

Evidence = Iterator[tuple[Any, ...]]
SIX: Pairs = [
    ("Go.", "Va !"),
    ("Hi.", "Salut !"),
    ("Run!", "Cours\u202f!"),
    ("Run!", "Courez\u202f!"),
    ("Who?", "Qui ?"),
    ("Wow!", "Ça alors\u202f!"),
]
MORE: Pairs = [("Fire!", "Au feu !"), ("Jump.", "Saute."), ("Stop!", "Ça suffit\u202f!")]


class FirstPairs(TranslationData):
    """The first lines of the book's file."""

    def read(self) -> Pairs:
        """As the file has them; `Run!` occurs twice."""
        return SIX + MORE


def first_pairs(num_steps: int = 9, num_train: int = 8) -> FirstPairs:
    """Training pairs and one of validation, every word known."""
    return FirstPairs(num_steps=num_steps, num_train=num_train, num_val=1, min_freq=0)


def cut(sentence: str) -> list[str]:
    """A raw sentence as tokens."""
    return Codec(CLEANING, SpaceTokenizer(Vocab())).clean(sentence).split()


def printed_row(tokens: list[str], num_steps: int) -> list[str]:
    """The book's ``pad_or_trim``."""
    return (
        tokens[:num_steps]
        if len(tokens) > num_steps
        else tokens + [PAD] * (num_steps - len(tokens))
    )


@claim("10.5.1", "plain spaces, lower case, and a space before each of , . ! ?", "002b C60")
def preprocessing() -> Evidence:
    """The first six lines as section 10.5.2 prints their tokens; other spaces are none."""
    sources = ["go .", "hi .", "run !", "run !", "who ?", "wow !"]
    targets = ["va !", "salut !", "cours !", "courez !", "qui ?", "ça alors !"]
    for (raw_source, raw_target), source, target in zip(SIX, sources, targets, strict=True):
        yield " ".join(cut(raw_source)), source
        yield " ".join(cut(raw_target)), target
    yield " ".join(cut("J'ai\xa0froid, Tom.")), "j'ai froid , tom ."


@claim(
    "10.5.3", "marks and special tokens come first, in the order of their characters", "002b C60"
)
def special_tokens() -> Evidence:
    """Source and target as the printed arrays have them: <eos> is 3 and 4, <pad> 4 and 5."""
    words = ["salut", ",", "tom", "!", "qui", "?", "moi", "."]
    for reserved, listed in (
        ([PAD, EOS], "! , . <eos> <pad> <unk> ?"),
        ([PAD, BOS, EOS], "! , . <bos> <eos> <pad> <unk> ?"),
    ):
        yield " ".join(Vocab(words, 0, reserved).idx_to_token[: len(listed.split())]), listed


@claim(
    "10.5.3",
    "decoder input and label are one row, one step apart; a length counts all but padding",
    ("002b C61", "002b C69"),
)
def shifted() -> Evidence:
    """Eight pairs: <bos> comes first, and lengths have <eos> in them."""
    data = first_pairs()
    source, decoder_input, lengths, label = data.arrays(data.pairs[0])
    yield decoder_input[:, 1:], label[:, :-1]
    yield decoder_input[:, 0], [data.tgt_vocab[BOS]] * 8
    yield lengths, (source != data.src_vocab[PAD]).sum(dim=1)
    last = source.gather(1, lengths[:, None] - 1)[:, 0]
    yield last, [data.src_vocab[EOS]] * 8


@claim(
    "10.5.4", "hi . and salut . become <eos> and six of <pad>, <bos> and five of <pad>", "002b C62"
)
def one_pair() -> Evidence:
    """Rows of nine tokens."""
    data = first_pairs()
    source, decoder_input, *_ = data.arrays([("hi .", "salut .")])
    yield " ".join(data.src_vocab.to_tokens(source[0])), "hi . <eos>" + 6 * " <pad>"
    expected = "<bos> salut . <eos>" + 5 * " <pad>"
    yield " ".join(data.tgt_vocab.to_tokens(decoder_input[0])), expected


@erratum(
    "10.5.2",
    "as many pairs are read as are asked for",
    printed="if i > max_examples: break, which reads one more: 641 of 640",
    source="002b E40",
)
def one_pair_too_many() -> Evidence:
    """Counted on a thousand lines; ours parts nine of them into eight and one."""
    read = 0
    for i in range(1000):
        if i > 640:
            break
        read += 1
    yield read, 641
    yield [len(part) for part in first_pairs().pairs], [8, 1]


@erratum(
    "10.5.3",
    "special tokens are reserved: a small corpus, or one without padding, keeps them",
    printed="Vocab(tokens, min_freq=2), in which <pad>, <bos> or <eos> may all be <unk>",
    source="002b E41",
)
def reserved_tokens() -> Evidence:
    """One sentence that fills its row: the printed vocabulary knows no special token."""
    printed = Vocab([printed_row([*cut("Go."), EOS], 3)], min_freq=2)
    yield [printed[token] for token in (PAD, EOS)], [printed.unk] * 2
    data = first_pairs(num_steps=4)
    numbers = [data.tgt_vocab[token] for token in (PAD, BOS, EOS, UNKNOWN)]
    yield len(set(numbers)), 4


@erratum(
    "10.5.3",
    "a pair that is too long is left out: every row that is learnt from ends with <eos>",
    printed="longer rows are cut, and lose their <eos>",
    source=("002b E42", "002b C61"),
)
def no_row_is_cut() -> Evidence:
    """A sentence of three words in rows of three: printed, and ours at every width."""
    yield EOS in printed_row([*cut("Ça alors !"), EOS], 3), False
    for num_steps in (3, 4, 9):
        data = first_pairs(num_steps, num_train=3)
        _, _, _, label = data.arrays(data.pairs[0])
        yield (label == data.tgt_vocab[EOS]).sum(dim=1), [1, 1, 1]


@erratum(
    "10.5.5",
    "sentences of similar length in one batch (buckets) need less padding",
    printed="“store” sequences of similar length, for “bucket” them",
    source="002b E43",
)
def buckets() -> Evidence:
    """A thousand lengths in batches of 50, each as wide as its longest sentence."""
    lengths = torch.randint(2, 20, (1000,), generator=generator(0))
    mixed, sorted_ = (padding(order) for order in (lengths, lengths.sort().values))
    yield mixed, (0.35, 0.55)
    yield sorted_, (0.0, 0.05)


def padding(lengths: Tensor) -> float:
    """The share of padding in batches of 50 taken in order."""
    batches = lengths.view(-1, 50)
    return float(1 - batches.sum() / (50 * batches.amax(dim=1)).sum())


@claim(
    "10.5.3", "a sentence as long as its row still has its <eos>; the others are padded", "002b C61"
)
def full_rows() -> Evidence:
    """One word less than the row's tokens."""
    vocab = Vocab(["a", "b"], 0, [PAD, EOS])
    rows, lengths = padded(["a b a", "b", ""], vocab, 4)
    yield " ".join(vocab.to_tokens(rows[0])), "a b a <eos>"
    yield " ".join(vocab.to_tokens(rows[1])), "b <eos> <pad> <pad>"
    yield lengths, [4, 2, 1]
