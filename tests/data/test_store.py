"""Where files come from when no network is asked."""

import gzip
import hashlib
from pathlib import Path

import pytest

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data import store
from freedive.data.store import Collection, RemoteFile, given_root

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
