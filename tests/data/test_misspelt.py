"""Windows with exchanged letters, counted and undone one by one."""

from typing import Any

import pytest
import torch
from torch import Tensor

from freedive.core.errors import DataError, UsageError
from freedive.core.random import generator
from freedive.data import find_dataset
from freedive.data.misspelt import Misspelt, MisspeltTales, MisspeltText, exchanged
from freedive.data.time_machine import Tales, TimeMachine

WORDS = "the time traveller for so it will be convenient to speak of him was expounding aa o "


class Told(MisspeltText):
    """A text that repeats."""

    name = "told"
    cleaning = "letters"

    def read(self) -> str:
        return WORDS * 20


def told(**settings: Any) -> Told:
    return Told(**{"num_steps": 16, "num_train": 40, "num_val": 20, "swaps": 2, **settings})


def able(text: str, i: int) -> bool:
    return " " not in text[i : i + 2] and text[i] != text[i + 1]


def mistakes(written: str, misspelt: str) -> list[int]:
    """Where letters were exchanged; anything else that differs is an error."""
    found, i = [], 0
    while i < len(written):
        if written[i] == misspelt[i]:
            i += 1
            continue
        assert able(written, i), (written, misspelt)
        assert written[i : i + 2] == misspelt[i + 1] + misspelt[i], (written, misspelt)
        found.append(i)
        i += 2
    return found


def texts(data: MisspeltText, windows: Tensor) -> list[str]:
    return [data.codec.decode(row) for row in windows.tolist()]


@pytest.mark.parametrize("swaps", [1, 2, 3, 50])
def test_each_exchange_is_of_two_different_letters_in_a_word_of_its_own(swaps: int) -> None:
    data = told()
    corpus, space = data.corpus, data.vocab[" "]
    windows = corpus.unfold(0, 16, 1)[:200]
    wrong = exchanged(windows, space, swaps, generator(3))
    for was, now in zip(texts(data, windows), texts(data, wrong), strict=True):
        numbers = [was[:i].count(" ") for i in mistakes(was, now)]
        fit = {was[:i].count(" ") for i in range(15) if able(was, i)}
        assert len(set(numbers)) == len(numbers) == min(swaps, len(fit))


def test_words_and_their_pairs_are_equally_likely() -> None:
    row = torch.tensor([1, 2, 3, 4, 0, 5, 6, 0, 7, 7])  # pairs at 0, 1, 2 and at 5
    wrong = exchanged(row.expand(8000, -1), 0, 1, generator(1))
    first = (wrong != row).int().argmax(dim=1)
    shares = first.bincount(minlength=10) / 8000
    assert shares[5].item() == pytest.approx(1 / 2, abs=0.03)
    assert shares[:3].tolist() == pytest.approx([1 / 6] * 3, abs=0.03)
    assert first.unique().tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_half_of_them_are_misspelt_and_the_others_stand_in_their_part_of_the_text(
    count: int,
) -> None:
    data = told(num_train=count, num_val=count)
    cut = len(data.training_text)
    for (windows, labels), text in zip(
        data.examples, (data.text[:cut], data.text[cut:]), strict=True
    ):
        assert windows.shape == (count, 16)
        assert labels.sum().item() == count // 2
        for window, label in zip(texts(data, windows), labels.tolist(), strict=True):
            assert (window in text) == (label == 0)


def test_a_seed_gives_the_same_examples_and_another_seed_others() -> None:
    first, again, other = (told(swap_seed=seed).examples[0] for seed in (0, 0, 1))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[1], other[1])


def test_batches_are_windows_and_labels() -> None:
    data = told(batch_size=32)
    X, y = next(iter(data.train_dataloader()))
    assert X.shape == (32, 16)
    assert y.shape == (32,)
    assert sum(len(y) for _, y in data.val_dataloader()) == 20
    assert data.model_arguments() == {"vocab_size": len(data.vocab), "num_steps": 16,
                                      "num_classes": 2}  # fmt: skip


@pytest.mark.parametrize("num_steps", [2, 3])
def test_the_shortest_windows_hold_one_pair(num_steps: int) -> None:
    data = told(num_steps=num_steps)
    for windows, labels in data.examples:
        assert windows.shape[1] == num_steps
        assert 0 < labels.sum() < len(labels)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_steps": 1}, "room for 0 windows of 1 characters"),
        ({"num_steps": 400}, "room for 0 windows of 400 characters"),
        ({"num_val": 500}, "500 are wanted"),
    ],
)
def test_a_text_without_room_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        told(**settings).train_dataloader()


def test_arguments_are_checked() -> None:
    with pytest.raises(UsageError, match="swaps"):
        told(swaps=0)


def test_the_tales_stand_in_with_the_same_vocabulary() -> None:
    data = MisspeltTales(num_chars=6_000, num_train=8, num_val=4)
    assert data.label == "misspelt-tales (synthetic)"
    assert data.codec.to_json() == Tales(num_chars=6_000).codec.to_json()
    assert find_dataset(str(Misspelt.standin)) is MisspeltTales
    assert issubclass(Misspelt, TimeMachine)
    assert Misspelt.task == MisspeltTales.task != TimeMachine.task
    assert data.fingerprint() != MisspeltTales(num_chars=6_000, swap_seed=1).fingerprint()
