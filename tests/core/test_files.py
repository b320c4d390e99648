"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from freedive.core.files import StorageError, write_json, write_whole


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ein Ordner" / "größe é.txt"
    for content in (b"", "text ü", b"longer than before"):
        write_whole(path, content)
        want = content.encode() if isinstance(content, str) else content
        assert path.read_bytes() == want
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")]
)
@pytest.mark.parametrize("verb", ["replace", "fsync"])
def test_a_disk_that_refuses_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, number: int, words: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, verb, refuse)
    with pytest.raises(StorageError, match=words) as caught:
        write_whole(path, b"new")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_file_where_a_folder_is_wanted_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        write_json(tmp_path / "file" / "below.json", {})
