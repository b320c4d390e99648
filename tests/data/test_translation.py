"""Sentence pairs become rows of numbers, and nothing is learnt from what is to judge by."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from freedive.core.errors import DataError, UsageError
from freedive.data.codec import Codec
from freedive.data.translation import BOS, EOS, PAD, TranslationData, distinct, padded
from freedive.data.vocab import Vocab

FIRST_SIX = [
    ("Go.", "Va !"),
    ("Hi.", "Salut !"),
    ("Run!", "Cours\u202f!"),
    ("Run!", "Courez\u202f!"),
    ("Who?", "Qui ?"),
    ("Wow!", "Ça alors\u202f!"),
]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SUMS = [(f"{a} and {b}.", f"{b} et {a} !") for a in NUMBERS for b in NUMBERS]


class Listed(TranslationData):
    """The pairs of a list."""

    name = "listed"

    def __init__(self, raw: Any, **settings: Any):
        super().__init__(**settings)
        self.raw = raw

    def read(self) -> Any:
        return self.raw


def small(raw: Any = SUMS, **settings: Any) -> Listed:
    return Listed(raw, **{"num_train": 60, "num_val": 20, **settings})


def words(rows: Tensor, vocab: Vocab) -> list[str]:
    return [" ".join(vocab.to_tokens(row)) for row in rows]


def test_sentences_are_cleaned_and_cut_as_the_book_does() -> None:
    data = Listed(FIRST_SIX, num_train=5, num_val=1, min_freq=0)
    train, val = data.pairs
    assert train + val == [
        ("go .", "va !"),
        ("hi .", "salut !"),
        ("run !", "cours !"),
        ("run !", "courez !"),
        ("who ?", "qui ?"),
        ("wow !", "ça alors !"),
    ]
    source, decoder_input, lengths, label = data.arrays(train[:2])
    pads = " <pad>" * 6
    assert words(source, data.src_vocab) == ["go . <eos>" + pads, "hi . <eos>" + pads]
    assert words(label, data.tgt_vocab) == ["va ! <eos>" + pads, "salut ! <eos>" + pads]
    assert words(decoder_input, data.tgt_vocab)[0] == "<bos> va ! <eos>" + " <pad>" * 5
    assert lengths.tolist() == [3, 3]


def test_spaces_of_any_kind_and_marks_in_a_row_are_cut() -> None:
    raw = [("  Wait...\u2009what?! ", "À\xa0moi,\u202fça"), ("no", "non")]
    (pair,), _ = Listed(raw, num_train=1, num_val=1, num_steps=12).pairs
    assert pair == ("wait . . . what ? !", "à moi , ça")


def test_the_rows_of_given_sentences() -> None:
    raw = [("Hi.", "Salut."), ("No.", "Non.")]
    data = Listed(raw, num_train=1, num_val=1, min_freq=1)
    source, decoder_input, lengths, label = data.arrays([("hi .", "salut .")])
    assert words(source, data.src_vocab) == ["hi . <eos>" + " <pad>" * 6]
    assert words(decoder_input, data.tgt_vocab) == ["<bos> salut . <eos>" + " <pad>" * 5]
    assert words(label, data.tgt_vocab) == ["salut . <eos>" + " <pad>" * 6]
    assert lengths.tolist() == [3]


def test_decoder_input_and_label_are_shifts_of_one_array() -> None:
    data = small()
    for source, decoder_input, lengths, label in data.columns:
        assert torch.equal(decoder_input[:, 1:], label[:, :-1])
        assert (decoder_input[:, 0] == data.tgt_vocab[BOS]).all()
        assert torch.equal(lengths, (source != data.src_vocab[PAD]).sum(dim=1))
        ends = source.gather(1, lengths[:, None] - 1)
        assert (ends == data.src_vocab[EOS]).all()
        assert {t.dtype for t in (source, decoder_input, lengths, label)} == {torch.int64}


@pytest.mark.parametrize("min_freq", [0, 2, 10**6])
def test_r13_special_tokens_have_their_numbers_however_rare(min_freq: int) -> None:
    data = small(min_freq=min_freq)
    specials = [t for t in data.src_vocab.idx_to_token if not t.isalpha()]
    assert specials == [".", "<eos>", "<pad>", "<unk>"][1 if min_freq > 60 else 0 :]
    specials = [t for t in data.tgt_vocab.idx_to_token if not t.isalpha()]
    assert specials == ["!", "<bos>", "<eos>", "<pad>", "<unk>"][1 if min_freq > 60 else 0 :]
    facts = data.model_arguments()
    assert len({facts[name] for name in ("tgt_pad", "bos", "eos")}) == 3
    lengths = data.columns[0][2]
    assert lengths.tolist() == [5] * 60  # a word that is not known is a word


@pytest.mark.parametrize("split", ["first", "random"])
def test_r13_there_are_exactly_as_many_pairs_as_are_asked_for(split: str) -> None:
    data = small(split=split)
    assert [len(pairs) for pairs in data.pairs] == [60, 20]
    assert [len(column) for part in data.columns for column in part] == [60] * 4 + [20] * 4


def test_r13_validation_pairs_teach_no_word() -> None:
    raw = [("a b", "x y")] * 3 + [("c c c", "z z z")] * 3
    data = Listed(raw, num_train=3, num_val=1, num_steps=5)
    assert "c" not in data.src_vocab
    assert "z" not in data.tgt_vocab
    source, _, _, label = data.columns[1]
    assert words(source, data.src_vocab) == ["<unk> <unk> <unk> <eos> <pad>"]
    assert words(label, data.tgt_vocab) == ["<unk> <unk> <unk> <eos> <pad>"]


def test_rows_that_are_too_long_are_left_out_whole() -> None:
    """A row that is cut would lose its <eos>; with it, eight words fill nine steps."""
    eight = " ".join(NUMBERS[:8])
    raw = [(eight, "un"), (eight + " nine", "deux"), ("three", eight + " nine"), ("four", eight)]
    data = Listed(raw, num_train=1, num_val=1)
    assert data.pairs == ([(eight, "un")], [("four", eight)])
    assert data.columns[0][2].tolist() == [9]
    assert int(data.columns[1][3][0, -1]) == data.tgt_vocab[EOS]


@pytest.mark.parametrize("split", ["first", "random"])
@pytest.mark.parametrize("num_train", [40, None])
def test_no_source_is_in_both_parts_and_none_twice_in_validation(
    split: str, num_train: int | None
) -> None:
    raw = [(a, b) for a in NUMBERS for b in NUMBERS[:5]]
    raw += [(f"{a} {b}", b) for a in NUMBERS for b in NUMBERS for _ in range(2)]
    data = Listed(raw, num_train=num_train, num_val=5, split=split)
    train, val = data.pairs
    sources = [source for source, _ in val]
    assert len(sources) == len(set(sources)) == 5
    assert not set(sources) & {source for source, _ in train}
    if num_train is None:  # nothing else is lost
        others = [pair for pair in raw if pair[0] not in sources]
        assert sorted(train) == sorted(others)
        assert (train == others) == (split == "first")
        if split == "first":
            last = list(dict.fromkeys(source for source, _ in reversed(raw)))
            assert sources == last[:5]


def test_the_first_pairs_are_the_first_ones() -> None:
    train, val = small().pairs
    assert [source for source, _ in train + val] == [s.replace(".", " .") for s, _ in SUMS[:80]]


def test_a_random_split_depends_on_its_seed_alone() -> None:
    first, same, other = (small(split="random", split_seed=seed).pairs for seed in (3, 3, 4))
    torch.rand(5)
    assert first == same == small(split="random", split_seed=3, batch_size=7).pairs
    assert first[0] != other[0]
    clean = [(s.replace(".", " ."), t) for s, t in SUMS]
    assert set(first[0] + first[1]) <= set(clean)
    places = [clean.index(pair) for pair in first[0]]
    assert places != sorted(places)
    assert max(places) > 80


@pytest.mark.parametrize("split", ["first", "random"])
def test_no_more_is_cleaned_than_is_needed(split: str) -> None:
    class Counted(list):
        asked = 0

        def __getitem__(self, i):
            self.asked += 1
            return super().__getitem__(i)

    raw = Counted(SUMS * 100)
    data = Listed(raw, num_train=50, num_val=5, split=split)
    assert len(data.pairs[0]) == 50
    assert raw.asked < 200


@pytest.mark.parametrize(
    "settings",
    [
        {"num_train": 81},
        {"num_train": 100},
        {"num_train": 1000},
        {"num_train": None, "num_val": 100},
        {"num_train": None, "num_val": 101},
        {"num_steps": 4},
        {"num_steps": 1},
    ],
)
def test_too_few_pairs_are_refused_with_the_way_out(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"listed gives .* num_train or num_val, or a larger"):
        _ = small(**settings).pairs
    with pytest.raises(DataError, match="gives 0 training and 0 validation"):
        _ = small([], **settings).pairs


def test_settings_out_of_bounds_are_refused() -> None:
    for settings in ({"num_steps": 0}, {"num_val": 0}, {"num_train": 0}, {"split": "last"}):
        with pytest.raises(UsageError):
            small(**settings)


def test_padded_is_what_a_loop_gives() -> None:
    vocab = Vocab(["a", "b"], reserved_tokens=[PAD, EOS])
    sentences = ["a", "b a strange", "a b a b", ""]
    rows = []
    for sentence in sentences:
        row = [vocab[word] for word in sentence.split()] + [vocab[EOS]]
        rows.append(row + [vocab[PAD]] * (5 - len(row)))
    array, lengths = padded(sentences, vocab, 5)
    assert array.tolist() == rows
    assert lengths.tolist() == [2, 4, 5, 1]
    with pytest.raises(DataError, match=r"'a b a b'.*longer than the 3 that fit before <eos>"):
        padded(sentences, vocab, 4)


def test_no_sentences_make_empty_arrays() -> None:
    source, decoder_input, lengths, label = small().arrays([])
    assert source.shape == decoder_input.shape == label.shape == (0, 9)
    assert lengths.shape == (0,)


def test_distinct_takes_the_first_of_equal_sources() -> None:
    pairs = [("a", "1"), ("a", "2"), ("b", "3"), ("c", "4")]
    assert distinct(pairs, 2) == {"a": "1", "b": "3"}
    assert distinct(pairs, 9) == {"a": "1", "b": "3", "c": "4"}
    assert distinct(pairs, 0) == {}


def test_batches_are_shuffled_for_training_by_seed_and_epoch() -> None:
    data = small(batch_size=16)
    loader = data.train_dataloader()
    assert [len(batch) for batch in loader] == [4] * 4
    assert [tuple(batch[0].shape) for batch in loader] == [(16, 9)] * 3 + [(12, 9)]
    orders = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        loader.seed, loader.epoch = seed, epoch
        orders.append(torch.cat([batch[0] for batch in loader]).tolist())
    assert orders[0] == orders[1]
    assert len({str(order) for order in orders}) == 3
    assert all(sorted(order) == sorted(data.columns[0][0].tolist()) for order in orders)
    val = torch.cat([batch[3] for batch in data.val_dataloader()])
    assert torch.equal(val, data.columns[1][3])


def test_the_parts_of_a_batch_belong_together() -> None:
    data = small(batch_size=7)
    for source, _, lengths, label in data.train_dataloader():
        for row, n, target in zip(source, lengths, label, strict=True):
            a, _, b, *_ = data.src_vocab.to_tokens(row)
            assert data.tgt_vocab.to_tokens(target[:4]) == [b, "et", a, "!"]
            assert int(n) == 5


def test_a_model_is_told_what_it_must_know() -> None:
    data = small(num_steps=11)
    facts = data.model_arguments()
    assert facts["src_vocab_size"] == len(data.src_vocab) == int(data.columns[0][0].max()) + 1
    assert facts["tgt_vocab_size"] == len(data.tgt_vocab)
    assert data.src_vocab.to_tokens(facts["src_pad"]) == "<pad>"
    names = [data.tgt_vocab.to_tokens(facts[name]) for name in ("tgt_pad", "bos", "eos")]
    assert names == ["<pad>", "<bos>", "<eos>"]
    assert facts["num_steps"] == 11


def test_the_fingerprint_is_that_of_the_pairs_and_the_settings() -> None:
    data = small()
    assert data.fingerprint() == small(list(SUMS)).fingerprint()
    changed = [("un", "one"), *SUMS[1:]]
    others = [small(changed), small(num_val=19), small(split="random"), small(num_steps=10)]
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == 5


def test_what_a_run_keeps_translates_without_the_data() -> None:
    data = small()
    kept = json.loads(json.dumps(data.assets()))["text.json"]
    source, target = (Codec.from_json(kept[side]) for side in ("source", "target"))
    assert (source.vocab, target.vocab) == (data.src_vocab, data.tgt_vocab)
    row = data.columns[0][0][0]
    assert source.encode("One and\xa0one.") == row[:4].tolist()
    assert target.decode(data.columns[0][3][0][:4].tolist()) == "one et one !"


def test_the_base_wants_a_read() -> None:
    with pytest.raises(NotImplementedError, match=r"read\(\)"):
        _ = TranslationData().pairs
