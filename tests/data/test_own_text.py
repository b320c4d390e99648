"""Texts from files: The Time Machine, its stand-in, and any file of one's own."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data.store import Collection, RemoteFile
from freedive.data.time_machine import OwnText, Tales, TimeMachine

REAL = os.environ.get("FREEDIVE_DATA")
BOOK = b"The Time-Machine, by H. G. Wells\r\n\r\nI\r\n\r\n" + b"It was at ten o'clock to-day. " * 30


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FREEDIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mes textes à moi" / "café.txt"
    write_whole(path, "Été 2024 : <br> tout va bien !\n" * 40)
    return path


def test_a_text_of_ones_own_is_taken_as_it_is(own: Path) -> None:
    data = OwnText(own, num_steps=8, batch_size=16)
    assert data.text == own.read_text("utf-8")
    assert not data.synthetic
    assert data.hparams["file"] == str(own)
    inputs, targets = next(iter(data.val_dataloader()))
    assert data.codec.decode([*inputs[0].tolist(), int(targets[0, -1])]) in data.text
    words = OwnText(str(own), tokenizer="word", num_steps=8)
    assert words.codec.decode(words.corpus[:8]) == "Été 2024: <br> tout va bien!"


def test_a_home_folder_may_be_written_short(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(own.parent))
    assert OwnText("~/café.txt").text == OwnText(own).text


def test_marks_and_line_ends_of_other_systems_are_no_tokens(own: Path) -> None:
    plain = OwnText(own).text
    own.write_bytes(b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode())
    assert OwnText(own).text == plain


def test_a_text_that_has_moved_is_the_same(own: Path, tmp_path: Path) -> None:
    before = OwnText(own).fingerprint()
    moved = own.rename(tmp_path / "b.txt")
    after = OwnText(moved).fingerprint()
    assert before == after
    assert str(tmp_path) not in before
    assert "b.txt" not in after
    moved.write_text(moved.read_text("utf-8") + ".", "utf-8")
    assert OwnText(moved).fingerprint() != after


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty: give"),
        (b"\n \n", "is empty: give"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"voil\xe0 tout", r"is not UTF-8 \(byte 4\): save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_refused(own: Path, content: bytes, fault: str) -> None:
    own.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        _ = OwnText(own).windows
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_place_without_a_text_is_refused(own: Path) -> None:
    with pytest.raises(DataError, match="is a folder: give one text file"):
        _ = OwnText(own.parent).text
    with pytest.raises(DataError, match="does not exist: give"):
        _ = OwnText(own.with_name("no")).text
    own.write_text("short")
    with pytest.raises(DataError, match="own-text has 5 tokens"):
        _ = OwnText(own).windows


class Small(TimeMachine):
    """A book of a few lines."""

    collection = Collection(
        "time-machine",
        (RemoteFile("timemachine.txt", hashlib.sha256(BOOK).hexdigest(), suffix=""),),
    )


@pytest.mark.parametrize("given", [True, False])
def test_the_book_comes_from_the_users_folder_or_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    assert Small.availability() == "download"
    assert Small.availability(download=False) is None
    folder = (tmp_path / "data" if given else cache) / "time-machine"
    write_whole(folder / "timemachine.txt", BOOK)
    if given:
        monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    assert Small.availability(download=False) == ("given" if given else "cached")
    assert Small().text.startswith("the time machine by h g wells i it was at ten o clock to day")


def test_another_book_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (cache, tmp_path / "data"):
        write_whole(folder / "time-machine" / "timemachine.txt", BOOK + b"more")
    (file,) = Small.collection.files
    with pytest.raises(DataError, match=r"cannot get timemachine\.txt"):
        Small.collection.obtain(file, download=False)
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    with pytest.raises(
        DataError, match=r"not the published text.*of your own with --data text:FILE"
    ):
        _ = Small().text


def test_a_web_page_is_no_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "data" / "timemachine.txt", b"<!DOCTYPE html> please log in")
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match="HTML page"):
        _ = TimeMachine().text


def test_tales_stand_in_for_the_book() -> None:
    data = Tales(num_chars=20_000)
    assert TimeMachine.standin == data.name
    assert data.synthetic
    assert data.label == "tales (synthetic)"
    assert set(data.text) <= set("abcdefghijklmnopqrstuvwxyz ")
    assert data.text == Tales(num_chars=20_000).text
    assert data.text != Tales(num_chars=20_000, data_seed=1).text
    assert len(data.vocab) <= 28
    assert [len(windows) for windows in data.windows] == [10_000, (len(data.text) // 10) // 32]


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> TimeMachine:
    if not REAL or not (Path(REAL) / "time-machine").is_dir():
        pytest.skip("FREEDIVE_DATA names no folder with time-machine")
    monkeypatch.setenv("FREEDIVE_DATA", REAL)
    return TimeMachine()


def test_the_book_has_the_numbers_of_section_9_2(real: TimeMachine) -> None:
    assert real.text[:60] == "the time machine by h g wells i the time traveller for so it"
    assert real.corpus[:10].tolist() == [21, 9, 6, 0, 21, 10, 14, 6, 0, 14]
    assert "".join(real.vocab.to_tokens(real.corpus[:30])) == "the time machine by h g wells "
    assert (len(real.corpus), len(real.vocab)) == (173_428, 28)
    counted = Counter(real.text.split()).most_common(4)
    assert counted == [("the", 2261), ("i", 1267), ("and", 1245), ("of", 1155)]
    assert [len(windows) for windows in real.windows] == [10_000, 541]
