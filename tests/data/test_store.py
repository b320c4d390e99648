"""Where files come from when no network is asked."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path
from random import Random

import pytest

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data import fetch, store
from freedive.data.fetch import unpacked
from freedive.data.store import Collection, RemoteFile, given_root, read_text

CONTENT = bytes(range(256)) * 2000
PACKED = gzip.compress(CONTENT, mtime=0)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache of Zoë"
    monkeypatch.setenv("FREEDIVE_CACHE", str(folder))
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    return folder


def collection(*mirrors: str, names: tuple[str, ...] = ("bytes",)) -> Collection:
    return Collection("things", tuple(RemoteFile(name, DIGEST, mirrors) for name in names))


def obtain(things: Collection, download: bool = True) -> Path:
    return things.obtain(things.files[0], download)


def test_a_file_put_into_the_cache_by_hand_is_taken(cache: Path) -> None:
    write_whole(cache / "things" / "bytes.gz", PACKED)
    assert obtain(collection()) == cache / "things" / "bytes.gz"


def test_a_cache_that_cannot_be_made_is_named(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot write .*FREEDIVE_CACHE"):
        obtain(collection())


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("name", ["bytes", "bytes.gz"])
def test_given_files_come_first_and_as_they_are(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, nested: bool
) -> None:
    root = tmp_path / "données de Zoë"
    path = (root / "things" if nested else root) / name
    write_whole(path, b"mine")
    write_whole(cache / "things" / "bytes", CONTENT)
    monkeypatch.setenv("FREEDIVE_DATA", str(root))
    assert collection().source() == "given"
    assert obtain(collection()) == path


def test_given_files_of_another_set_are_no_obstacle(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "data" / "others" / "bytes", b"mine")
    write_whole(cache / "things" / "bytes", CONTENT)
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    assert collection().given() is None
    assert obtain(collection()) == cache / "things" / "bytes"


def test_missing_given_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "data" / "things" / "b.gz", PACKED)
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"lacks a\.gz, c\.gz of things"):
        collection(names=("a", "b", "c")).given()


def test_a_mistyped_freedive_data_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, fault in {"no": "not exist", "file": "wants a folder", "empty": "is empty"}.items():
        monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / name))
        with pytest.raises(DataError, match=fault):
            collection().source()
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path))
    monkeypatch.setattr(store.os, "access", lambda *_: False)
    with pytest.raises(DataError, match="cannot read"):
        given_root()


def test_read_bytes_names_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        store.read_bytes(tmp_path)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
MEMBERS = {"bytes/": b"", "_about.txt": b"not me", "some/where/bytes": CONTENT[:3000]}


@pytest.mark.parametrize("method", METHODS)
def test_a_member_is_read_in_whichever_folder_of_the_archive_it_is(method: int) -> None:
    assert unpacked(zipped(MEMBERS, method), "a.zip", "bytes") == CONTENT[:3000]
    assert unpacked(zipped({"bytes": b""}, method), "a.zip", "bytes") == b""


def test_r14_an_archive_writes_nothing_whatever_its_paths_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = zipped({"../../bytes": b"a", "/tmp/other": b"b"})
    assert unpacked(evil, "a.zip", "bytes") == b"a"
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_the_member_or_with_too_much_of_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = zipped(MEMBERS)
    for wanted in ("other", "some", "where/bytes"):
        with pytest.raises(DataError, match=f"a.zip is a zip archive without {wanted}: get"):
            unpacked(packed, "a.zip", wanted)
    with pytest.raises(DataError, match="without bytes"):
        unpacked(zipped({}), "a.zip", "bytes")
    monkeypatch.setattr(fetch, "MAX_MEMBER", 2999)
    with pytest.raises(DataError, match=r"has 3,000 bytes, and at most 2,999 are read"):
        unpacked(packed, "a.zip", "bytes")


def test_an_archive_that_lies_about_a_size_gives_no_more_than_it_said() -> None:
    bomb = bytearray(zipped({"bytes": bytes(10**6)}))
    listed = bomb.index(b"PK\x01\x02") + 24  # the unpacked size in the list of members
    bomb[listed : listed + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(DataError, match="damaged"):
        unpacked(bytes(bomb), "a.zip", "bytes")


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_archive_gets_one_line(method: int) -> None:
    whole, chance = zipped(MEMBERS, method), Random(0)
    lines = []
    for _ in range(500):
        damaged = bytearray(whole[: chance.choice((len(whole), chance.randrange(5, len(whole))))])
        damaged[chance.randrange(4, len(damaged))] ^= 1 << chance.randrange(8)
        try:
            assert unpacked(bytes(damaged), "a.zip", "bytes") == CONTENT[:3000]
        except DataError as error:
            lines.append(str(error))
    assert len(lines) > 250
    assert max(map(len, lines)) < 120
    assert not any("\n" in line for line in lines)


def test_bytes_that_only_begin_like_an_archive_are_themselves_where_no_member_is_wanted() -> None:
    assert unpacked(b"PK\x03\x04 and more", "a file") == b"PK\x03\x04 and more"


@pytest.mark.parametrize("name", ["bytes", "all.zip"])
@pytest.mark.parametrize("given", [True, False])
def test_an_archive_is_taken_from_the_users_folder_and_from_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: bool
) -> None:
    file = RemoteFile("bytes", DIGEST, archive="all.zip")
    folder = (tmp_path / "data" if given else cache) / "things"
    write_whole(folder / name, CONTENT if name == "bytes" else zipped({"in/bytes": CONTENT}))
    if given:
        monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path / "data"))
    things = Collection("things", (file,))
    assert things.source(download=False) == ("given" if given else "cached")
    assert obtain(things) == folder / name
    assert file.read(obtain(things)) == CONTENT


def test_a_damaged_archive_in_the_cache_is_to_be_fetched_anew(cache: Path) -> None:
    file = RemoteFile("bytes", DIGEST, archive="all.zip")
    write_whole(cache / "things" / "all.zip", zipped({"bytes": CONTENT})[:-30])
    with pytest.raises(DataError, match=r"cannot get all\.zip of things"):
        obtain(Collection("things", (file,)), download=False)


def test_a_file_without_a_suffix_is_published_under_its_own_name(cache: Path) -> None:
    file = RemoteFile("bytes", DIGEST, suffix="")
    assert file.published_name == "bytes"
    write_whole(cache / "things" / "bytes", CONTENT)
    assert file.read(obtain(Collection("things", (file,)), download=False)) == CONTENT


def test_read_text_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mes mots.txt"
    for content, fault in {
        b"": "is empty: give",
        b" \n\t\n": "is empty: give",
        "déjà".encode("latin1"): r"is not UTF-8 \(byte 1\): save it as UTF-8",
        "word".encode("utf-16"): "is not UTF-8",
    }.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{path} {fault}"):
            read_text(path)
    for place, fault in {tmp_path: "is a folder: give", tmp_path / "no": "does not exist"}.items():
        with pytest.raises(DataError, match=fault):
            read_text(place)


def test_read_text_knows_marks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes("\ufeffun\r\ndeux\u2028trois\r\n".encode())
    assert read_text(path) == "un\ndeux\u2028trois\n"
