"""English and French: the published pairs, from small files or the real one, and the phrasebook."""

import hashlib
import io
import os
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data import find_dataset
from freedive.data.fra_eng import MTFraEng, Phrasebook
from freedive.data.store import Collection, RemoteFile

REAL = os.environ.get("FREEDIVE_DATA")
LINES = [f"I have {n}.\tJ'ai {n}\u202f!" for n in range(100)]
TEXT = "\n".join(LINES).encode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FREEDIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "données à moi" / "fra-eng"
    folder.mkdir(parents=True)
    monkeypatch.setenv("FREEDIVE_DATA", str(folder.parent))
    return folder


def zipped(text: bytes, name: str = "fra-eng/fra.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fra-eng/_about.txt", "about")
        archive.writestr(name, text)
    return buffer.getvalue()


class Small(MTFraEng):
    """A hundred pairs."""

    collection = Collection(
        "fra-eng",
        (RemoteFile("fra.txt", hashlib.sha256(TEXT).hexdigest(), archive="fra-eng.zip"),),
    )


def test_the_published_archive_is_known_by_its_name() -> None:
    (file,) = MTFraEng.collection.files
    assert file.published_name == "fra-eng.zip"
    assert [mirror + file.published_name for mirror in file.mirrors] == [
        "http://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip"
    ]
    assert (MTFraEng.name, MTFraEng.standin, MTFraEng.task) == (
        "fra-eng",
        "phrasebook",
        "sentence pairs",
    )
    for kind in (MTFraEng, Phrasebook):
        assert find_dataset(kind.name) is kind


@pytest.mark.parametrize("name", ["fra.txt", "fra-eng.zip"])
@pytest.mark.parametrize("place", ["given", "cached"])
def test_pairs_come_from_a_text_or_an_archive(
    cache: Path, given: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    folder = given
    if place == "cached":
        monkeypatch.delenv("FREEDIVE_DATA")
        folder = cache / "fra-eng"
        assert Small.availability(download=False) is None
    write_whole(folder / name, TEXT if name == "fra.txt" else zipped(TEXT))
    assert Small.availability(download=False) == place
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = Small(num_train=70, num_val=30)
        assert [len(pairs) for pairs in data.pairs] == [70, 30]
    assert data.pairs[0][7] == ("i have 7 .", "j'ai 7 !")
    assert data.src_vocab.idx_to_token == [".", "<eos>", "<pad>", "<unk>", "have", "i"]


@pytest.mark.parametrize("member", ["fra-eng/fra.txt", "fra.txt"])
def test_a_newer_edition_is_taken_with_a_warning(given: Path, member: str) -> None:
    newer = "\r\n".join(line + "\tCC-BY 2.0 (France) #1" for line in LINES) + "\r\n"
    write_whole(given / "fra-eng.zip", zipped(newer.encode(), member))
    data = Small(num_train=70, num_val=30)
    with pytest.warns(UserWarning, match=r"fra-eng\.zip is not the edition that the book has"):
        train, _ = data.pairs
    assert train[99 - 30] == ("i have 69 .", "j'ai 69 !")
    write_whole(given / "fra.txt", TEXT)
    old = Small(num_train=70, num_val=30)
    assert old.fingerprint() == data.fingerprint()  # the same pairs
    assert str(given) not in data.fingerprint()


@pytest.mark.filterwarnings("ignore:.*edition")
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html>404", "HTML page"),
        (zipped(TEXT)[:-40], "damaged or cut-off zip"),
        (zipped(TEXT, "deu.txt"), r"zip archive without fra\.txt"),
        (zipped(b"Va !\xff\tGo."), "not UTF-8"),
        (zipped(TEXT + b"\nno pair"), r"line 101: a sentence, a tab"),
        (zipped(b""), "gives 0 training"),
    ],
)
def test_given_files_that_are_wrong_say_how(given: Path, content: bytes, fault: str) -> None:
    write_whole(given / "fra-eng.zip", content)
    with pytest.raises(DataError, match=fault) as caught:
        _ = Small().pairs
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_file_says_which(given: Path) -> None:
    write_whole(given / "deu.txt", TEXT)
    with pytest.raises(DataError, match=r"lacks fra-eng\.zip of fra-eng"):
        MTFraEng.availability()


def test_the_phrasebook_stands_in() -> None:
    data = Phrasebook()
    assert data.synthetic
    assert data.label == "phrasebook (synthetic)"
    train, val = data.pairs
    assert len(val) == data.num_val == 128
    assert 4_500 < len(train) < 5_000 - 128  # nearly all are short enough
    assert data.pairs == Phrasebook().pairs
    assert data.fingerprint() == Phrasebook().fingerprint()
    assert Phrasebook(data_seed=1).pairs[0][:9] != train[:9]
    assert max(len(side.split()) for pair in train for side in pair) < data.num_steps


def test_the_phrasebook_has_as_many_pairs_as_are_asked_for() -> None:
    asked = Phrasebook(num_train=9_000, num_val=500, num_pairs=100)
    assert [len(pairs) for pairs in asked.pairs] == [9_000, 500]
    few = Phrasebook(num_pairs=300, num_val=20)
    assert 100 < len(few.pairs[0]) <= 280


def test_most_words_of_validation_are_known_from_training() -> None:
    data = Phrasebook()
    for vocab, column in ((data.src_vocab, 0), (data.tgt_vocab, 3)):
        share = (data.columns[1][column] == vocab.unk).float().mean()
        assert share < 0.01


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> MTFraEng:
    if not REAL or not (Path(REAL) / "fra-eng").is_dir():
        pytest.skip("FREEDIVE_DATA names no folder with fra-eng")
    monkeypatch.setenv("FREEDIVE_DATA", REAL)
    return MTFraEng()


def test_the_published_pairs_are_those_of_section_10_5(real: MTFraEng) -> None:
    raw = real.read()
    assert len(raw) == 167_130
    assert raw[:3] == [("Go.", "Va !"), ("Hi.", "Salut !"), ("Run!", "Cours\u202f!")]
    train, val = real.pairs
    assert (len(train), len(val)) == (512, 128)
    assert train[2:6] == [
        ("run !", "cours !"),
        ("run !", "courez !"),
        ("who ?", "qui ?"),
        ("wow !", "ça alors !"),
    ]
    assert real.src_vocab.idx_to_token[:7] == ["!", ",", ".", "<eos>", "<pad>", "<unk>", "?"]
    specials = ["!", ",", ".", "<bos>", "<eos>", "<pad>", "<unk>", "?"]
    assert real.tgt_vocab.idx_to_token[:8] == specials
    assert not {source for source, _ in train} & {source for source, _ in val}


def test_the_numbers_that_the_book_prints_are_sentences(
    real: MTFraEng, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The book learns its words from all 640 pairs."""
    data = MTFraEng(num_train=640, num_val=1)
    printed = torch.tensor([[117, 182, 0, 3], [62, 72, 2, 3], [57, 124, 0, 3]])
    rows = {tuple(row) for row in data.columns[0][0].tolist()}
    assert {(*row, 4, 4, 4, 4, 4) for row in printed.tolist()} <= rows
    words = [" ".join(data.src_vocab.to_tokens(row)) for row in printed]
    assert words == ["no way ! <eos>", "grab him . <eos>", "get out ! <eos>"]


def test_a_large_random_part_of_the_published_pairs(real: MTFraEng) -> None:
    data = MTFraEng(split="random", num_train=50_000, num_val=1_000, num_steps=14)
    train, val = data.pairs
    assert (len(train), len(val)) == (50_000, 1_000)
    assert max(len(side.split()) for pair in train + val for side in pair) == 13
    assert len(set(train)) > 49_900
    assert not {source for source, _ in train} & {source for source, _ in val}
