"""A text becomes windows that never show in training what validation asks for."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from freedive.core.errors import DataError, UsageError
from freedive.data.codec import Codec
from freedive.data.text import TextData, in_sequence, spread

WORDS = "the time traveller for so it will be convenient to speak of him was expounding "
TOKENIZERS = ["char", "word", "bpe"]


class Told(TextData):
    """The text that it is given."""

    name = "told"

    def __init__(self, raw: str, **settings: Any):
        super().__init__(**{"batch_size": 4, "num_steps": 5, "num_train": None, **settings})
        self.raw = raw

    def read(self) -> str:
        return self.raw


def numbered(num_tokens: int, **settings: Any) -> Told:
    """A text whose tokens are the numbers of their places."""
    data = Told("x" * num_tokens, **settings)
    data.__dict__["corpus"] = torch.arange(num_tokens)
    return data


def joined(loader: Any) -> tuple[Tensor, Tensor]:
    inputs, targets = zip(*loader, strict=True)
    return torch.cat(inputs), torch.cat(targets)


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("train", [True, False])
def test_targets_are_one_token_ahead(order: str, train: bool) -> None:
    inputs, targets = joined(numbered(500, order=order).get_dataloader(train))
    assert inputs.shape[1] == 5
    assert torch.equal(targets, inputs + 1)
    assert inputs.dtype == targets.dtype == torch.int64


def test_the_books_example_of_a_shift() -> None:
    data = Told("abcdef" * 10, num_train=1, num_steps=5)
    ((inputs, targets),) = data.train_dataloader()
    assert data.codec.decode(inputs[0]) == "abcde"
    assert data.codec.decode(targets[0]) == "bcdef"


@pytest.mark.parametrize("num_steps", [1, 2, 31])
def test_a_training_text_of_t_tokens_has_t_minus_num_steps_windows(num_steps: int) -> None:
    data = numbered(1000, num_steps=num_steps)
    slow = [list(range(i, i + num_steps + 1)) for i in range(900 - num_steps)]
    assert data.windows[0].tolist() == slow
    inputs, _ = joined(numbered(1000, num_steps=num_steps).train_dataloader())
    assert sorted(inputs[:, 0].tolist()) == list(range(900 - num_steps))


@pytest.mark.parametrize("num_windows", [1, 2, 3, 7, 447, 448, 893, 894, 895])
def test_fewer_windows_still_see_the_whole_text(num_windows: int) -> None:
    """Also where there is room for a little less than twice as many."""
    windows = spread(torch.arange(900), 7, num_windows)
    starts = windows[:, 0]
    assert torch.equal(windows, starts[:, None] + torch.arange(7))
    assert len(windows) == min(num_windows, 894)
    steps = starts.diff(append=torch.tensor([894]))  # where the next window would begin
    assert set(steps.tolist()) <= {894 // num_windows, -(-894 // num_windows)} | {1}
    assert len(numbered(1000, num_train=num_windows, num_steps=6).windows[0]) == len(windows)


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("num_train", [300, None])
def test_r12_no_token_of_validation_is_in_a_training_window(
    order: str, num_train: int | None
) -> None:
    data = numbered(1000, order=order, num_train=num_train)
    train, val = (windows.unique() for windows in data.windows)
    assert int(train.min()) == 0
    assert 890 < int(train.max()) < 900 == int(val.min())


def test_validation_windows_ask_for_each_token_once() -> None:
    inputs, targets = joined(numbered(1000).val_dataloader())
    assert targets.reshape(-1).tolist() == list(range(901, 901 + len(inputs) * 5))
    assert len(inputs) == (100 - 1) // 5
    assert len(numbered(100_000).windows[1]) == 1000
    assert len(numbered(100_000, num_val=1500).windows[1]) == 1500
    assert len(numbered(1000, num_val=7).windows[1]) == 7


@pytest.mark.parametrize(
    ("num_tokens", "batch_size", "num_steps"),
    [(1000, 4, 5), (1003, 4, 5), (1006, 1, 7), (900, 7, 1), (1500, 4, 123)],
)
def test_sequential_batches_go_on_where_the_last_one_ended(
    num_tokens: int, batch_size: int, num_steps: int
) -> None:
    settings = {"batch_size": batch_size, "num_steps": num_steps, "order": "sequential"}
    data = numbered(num_tokens, **settings)
    batches = list(data.train_dataloader())
    inputs = torch.cat([batch[0] for batch in batches], dim=1)
    targets = torch.cat([batch[1] for batch in batches], dim=1)
    length = int(num_tokens * 0.9) // batch_size
    steps = (length - 1) // num_steps * num_steps  # no window is lost
    slow = [list(range(row * length, row * length + steps)) for row in range(batch_size)]
    assert inputs.tolist() == slow
    assert torch.equal(targets, inputs + 1)
    some = numbered(num_tokens, **settings, num_train=4 * batch_size - 1).train_dataloader()
    assert [len(X) for X, _ in some] == [batch_size] * min(3, len(batches))
    assert all(torch.equal(X, batch[0]) for (X, _), batch in zip(some, batches, strict=False))
    few = numbered(num_tokens, **settings, num_train=1).train_dataloader()
    assert [len(X) for X, _ in few] == [batch_size]
    again = torch.cat([batch[0] for batch in data.train_dataloader()], dim=1)
    assert torch.equal(again, inputs)


def test_in_sequence_wants_rows_of_a_window_at_least() -> None:
    assert in_sequence(torch.arange(12), 2, 5).tolist() == [[*range(6)], [*range(6, 12)]]
    with pytest.raises(DataError, match=r"2 rows of 5, and a window takes 6: pass a smaller batch"):
        in_sequence(torch.arange(11), 2, 5)
    with pytest.raises(DataError, match="smaller batch_size"):
        numbered(1000, order="sequential", batch_size=300).train_dataloader()


def test_windows_take_no_memory_of_their_own() -> None:
    """Copied, these windows would take 40 GB."""
    data = numbered(1_000_000, num_steps=5000, batch_size=3)
    assert data.windows[0].data_ptr() == data.corpus.data_ptr()
    assert data.windows[0].untyped_storage().nbytes() == 8 * 1_000_000
    inputs, targets = next(iter(data.train_dataloader()))
    assert torch.equal(targets, inputs[:, :1] + torch.arange(1, 5001))


def test_the_order_is_that_of_seed_and_epoch() -> None:
    loader = numbered(300).train_dataloader()
    orders = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        torch.rand(3)
        loader.seed, loader.epoch = seed, epoch
        orders.append(joined(loader)[0][:, 0].tolist())
    assert orders[0] == orders[1]
    assert len({str(order) for order in orders}) == 3
    assert all(sorted(order) == list(range(270 - 5)) for order in orders)


@pytest.mark.parametrize("order", ["random", "sequential"])
def test_an_epoch_can_be_entered_at_any_batch(order: str) -> None:
    loader = numbered(300, order=order).train_dataloader()
    loader.epoch = 3
    whole = list(loader)
    for start in (0, 1, len(whole) - 1):
        loader.start = start
        rest = list(loader)
        assert len(rest) == len(whole) - start
        assert all(
            torch.equal(X, X_whole) and torch.equal(y, y_whole)
            for (X, y), (X_whole, y_whole) in zip(rest, whole[start:], strict=True)
        )


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_the_vocabulary_is_that_of_the_training_text(tokenizer: str) -> None:
    data = Told(WORDS * 100 + "zebras zigzag " * 40, tokenizer=tokenizer)
    assert not any("z" in token for token in data.vocab.idx_to_token)
    assert "<unk>" in data.vocab
    assert data.vocab.unk in data.corpus[-20:]
    train, _ = data.windows
    assert (train != data.vocab.unk).all()
    assert data.model_arguments() == {"vocab_size": len(data.vocab), "num_steps": 5}


@pytest.mark.parametrize("share", [0.31, 0.77, 0.9])
def test_long_words_at_the_end_are_not_learnt_from(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine tenths of the letters are not nine tenths of the words."""
    monkeypatch.setattr("freedive.data.text.TRAINING_SHARE", share)
    words = [f"{chr(97 + i % 26)}{i}" * (1 + i // 40) for i in range(400)]
    data = Told(" ".join(words), tokenizer="word", num_steps=3)
    train, val = data.windows
    learnt = set(data.vocab.idx_to_token)
    cut = len(train) + 3
    assert set(words[: cut - 1]) <= learnt  # the last may be cut
    assert not set(words[cut:]) & learnt
    assert len(val) == (400 - cut - 1) // 3


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_tokens_give_the_text_back(tokenizer: str) -> None:
    text = WORDS.strip() + (", and " + WORDS.strip()) * 20
    data = Told(text, tokenizer=tokenizer)
    assert data.codec.decode(data.corpus) == text
    sizes = {kind: len(Told(text, tokenizer=kind).corpus) for kind in TOKENIZERS}
    assert sizes["char"] == len(text)
    assert sizes["word"] <= sizes["bpe"] < sizes["char"]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_vocabulary_size_and_rarity_are_obeyed(tokenizer: str) -> None:
    data = Told(WORDS * 20 + "q" + WORDS * 3, tokenizer=tokenizer, vocab_size=12)
    assert len(data.vocab) <= 12
    assert data.windows[0].max() < len(data.vocab)
    rare = Told(WORDS * 20 + "q " + WORDS * 10, tokenizer=tokenizer, min_freq=2)
    assert "q" not in rare.vocab


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="the text of told is empty: give"):
        _ = Told(text).windows


@pytest.mark.parametrize(
    ("num_tokens", "settings"),
    [
        (1, {}),
        (50, {}),
        (50, {"num_train": 1}),
        (30, {"num_steps": 40}),
        (1000, {"num_steps": 100}),
    ],
)
def test_a_text_too_short_for_a_window_of_each_is_refused(
    num_tokens: int, settings: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"told has .* tokens, of which .* smaller num_steps"):
        _ = Told("x" * num_tokens, **settings).windows


def test_the_shortest_texts_give_a_window_of_each() -> None:
    assert [len(w) for w in Told("x" * 51).windows] == [40, 1]
    assert [len(w) for w in Told("x" * 51, num_train=1).windows] == [1, 1]
    assert [len(w) for w in Told("xy" * 10, num_steps=1).windows] == [17, 1]


def test_more_validation_windows_than_there_are_are_refused() -> None:
    with pytest.raises(DataError, match=r"room for 19 validation windows.*and 20 are wanted"):
        _ = numbered(1000, num_val=20).windows


def test_settings_out_of_bounds_are_refused() -> None:
    for settings in ({"num_steps": 0}, {"order": "shuffled"}, {"tokenizer": "letter"}):
        with pytest.raises(UsageError):
            Told("text", **settings)


def test_the_fingerprint_is_that_of_the_text_and_the_settings() -> None:
    data = Told(WORDS * 9)
    assert data.fingerprint() == Told(WORDS * 9).fingerprint()
    others = [Told(WORDS * 8), Told(WORDS * 9, num_steps=4), Told(WORDS * 9, order="sequential")]
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == 4


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_what_a_run_keeps_reads_and_writes_without_the_data(tokenizer: str) -> None:
    data = Told(WORDS * 9, tokenizer=tokenizer)
    codec = Codec.from_json(json.loads(json.dumps(data.assets()))["text.json"])
    assert codec.vocab == data.vocab
    assert codec.encode(WORDS * 9) == data.corpus.tolist()


def test_the_base_wants_a_read() -> None:
    with pytest.raises(NotImplementedError, match=r"read\(\)"):
        _ = TextData().windows
