"""Fetching: a real server on this machine plays every mirror."""

import gzip
import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data.store import Collection, RemoteFile, cache_dir

CONTENT = bytes(range(256)) * 2000
PACKED = gzip.compress(CONTENT, mtime=0)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HTML = b"<!DOCTYPE html><title>Please log in</title>"


@dataclass
class Mirror:
    """A server: what it answers to which path, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    drop_after: dict[str, list[int]] = field(default_factory=dict)  # bytes sent, a try
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append((self.path, wanted))
            body = served.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=")[:-1]) if wanted and served.ranges else 0
            if start and start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            limits = served.drop_after.get(self.path)
            end = start + limits.pop(0) if limits else len(body)
            self.wfile.write(body[start:end])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Mirror(f"http://127.0.0.1:{server.server_address[1]}/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


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


def kept(cache: Path) -> list[str]:
    folder = cache / "things"
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock") if folder.exists() else []


def test_a_download_is_unpacked_verified_and_then_cached(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = PACKED
    things = collection(mirror.url)
    assert things.source() == "download"
    assert things.source(download=False) is None
    assert obtain(things).read_bytes() == CONTENT
    assert kept(cache) == ["bytes"]
    assert things.source(download=False) == "cached"
    assert obtain(things) == cache / "things" / "bytes"
    assert len(mirror.asked) == 1


def test_r14_html_error_page_is_not_kept(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = HTML
    with pytest.raises(DataError, match="HTML page"):
        obtain(collection(mirror.url))
    assert kept(cache) == []


def test_r14_wrong_hash_is_not_kept(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = gzip.compress(b"other", mtime=0)
    with pytest.raises(DataError, match="another content"):
        obtain(collection(mirror.url))
    assert kept(cache) == []


def test_r14_http_status_is_looked_at(mirror: Mirror, cache: Path) -> None:
    with pytest.raises(DataError, match="404"):
        obtain(collection(mirror.url))
    assert kept(cache) == []


@pytest.mark.parametrize("bad", [None, HTML, PACKED[:-9], gzip.compress(b"other", mtime=0)])
def test_the_next_mirror_is_tried(mirror: Mirror, cache: Path, bad: bytes | None) -> None:
    mirror.files["/good/bytes.gz"] = PACKED
    if bad is not None:
        mirror.files["/bad/bytes.gz"] = bad
    assert obtain(collection(mirror.url + "bad/", mirror.url + "good/")).read_bytes() == CONTENT
    assert kept(cache) == ["bytes"]


def test_a_transfer_that_breaks_off_is_continued(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = PACKED
    half = len(PACKED) // 2
    mirror.drop_after["/bytes.gz"] = [half, 10]
    assert obtain(collection(mirror.url)).read_bytes() == CONTENT
    ranges = [wanted for _, wanted in mirror.asked]
    assert ranges == [None, f"bytes={half}-", f"bytes={half + 10}-"]
    assert kept(cache) == ["bytes"]


def test_what_arrived_is_kept_for_the_next_call(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = PACKED
    mirror.drop_after["/bytes.gz"] = [100, 0]
    with pytest.raises(DataError, match="broke off"):
        obtain(collection(mirror.url))
    assert kept(cache) == ["bytes.part"]
    assert obtain(collection(mirror.url)).read_bytes() == CONTENT
    assert mirror.asked[-1][1] == "bytes=100-"


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("part", [b"not of this file", PACKED, PACKED + b"more"])
def test_a_part_never_spoils_the_file(
    mirror: Mirror, cache: Path, part: bytes, ranges: bool
) -> None:
    mirror.files["/bytes.gz"] = PACKED
    mirror.ranges = ranges
    write_whole(cache / "things" / "bytes.part", part)
    assert obtain(collection(mirror.url)).read_bytes() == CONTENT
    assert kept(cache) == ["bytes"]
    if not ranges:  # what came was the whole, and replaced the part
        assert len(mirror.asked) == 1


def test_a_server_that_always_drops_is_left(mirror: Mirror) -> None:
    mirror.files["/bytes.gz"] = PACKED
    mirror.drop_after["/bytes.gz"] = [1] * 100
    with pytest.raises(DataError, match="broke off"):
        obtain(collection(mirror.url))
    assert len(mirror.asked) < 20


def test_offline_says_what_was_tried_and_where_to_put_the_files(cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(DataError) as caught:
            obtain(collection(url, names=("bytes", "more")))
    text = str(caught.value)
    assert "\n" not in text
    for part in (f"{url}bytes.gz: no connection", "bytes.gz, more.gz", str(cache / "things")):
        assert part in text
    assert "FREEDIVE_DATA" in text


def test_no_download_where_none_is_wanted(mirror: Mirror) -> None:
    mirror.files["/bytes.gz"] = PACKED
    with pytest.raises(DataError, match="not wanted"):
        obtain(collection(mirror.url), download=False)
    assert mirror.asked == []


def test_a_damaged_cached_file_is_fetched_anew(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes.gz"] = PACKED
    write_whole(cache / "things" / "bytes", CONTENT[:-1])
    assert obtain(collection(mirror.url)).read_bytes() == CONTENT


def test_a_full_disk_is_named(mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.files["/bytes.gz"] = PACKED

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"No space left.*FREEDIVE_CACHE") as caught:
        obtain(collection(mirror.url))
    assert str(cache) in str(caught.value)
    assert "bytes" not in kept(cache)


def test_r14_files_land_in_one_cache_whatever_the_current_folder(
    mirror: Mirror, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files["/bytes.gz"] = PACKED
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert obtain(collection(mirror.url)) == cache / "things" / "bytes"
        assert list(folder.iterdir()) == []
    assert len(mirror.asked) == 1
    monkeypatch.delenv("FREEDIVE_CACHE")
    assert cache_dir().is_absolute()
    monkeypatch.setenv("FREEDIVE_CACHE", "data")
    with pytest.raises(DataError, match="absolute"):
        cache_dir()


def test_several_threads_fetch_a_file_once(mirror: Mirror) -> None:
    pytest.importorskip("fcntl")
    mirror.files["/bytes.gz"] = PACKED
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(obtain(collection(mirror.url))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in paths] == [CONTENT] * 4
    assert len(mirror.asked) == 1


def zipped(content: bytes, name: str = "in/bytes") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/_about.txt", "about")
        archive.writestr(name, content)
    return buffer.getvalue()


def of_an_archive(*mirrors: str) -> Collection:
    return Collection("things", (RemoteFile("bytes", DIGEST, mirrors, archive="all.zip"),))


def test_of_an_archive_the_verified_member_is_kept(mirror: Mirror, cache: Path) -> None:
    packed = zipped(CONTENT)
    mirror.files["/all.zip"] = packed
    mirror.drop_after["/all.zip"] = [len(packed) // 2]
    things = of_an_archive(mirror.url)
    assert obtain(things).read_bytes() == CONTENT
    assert [path for path, _ in mirror.asked] == ["/all.zip"] * 2
    assert kept(cache) == ["bytes"]
    assert things.source(download=False) == "cached"
    assert obtain(things) == cache / "things" / "bytes"
    assert len(mirror.asked) == 2


@pytest.mark.parametrize(
    "bad", [HTML, zipped(CONTENT)[:-9], zipped(b"other"), zipped(CONTENT, "in/other")]
)
def test_r14_another_archive_is_not_kept(mirror: Mirror, cache: Path, bad: bytes) -> None:
    mirror.files |= {"/bad/all.zip": bad, "/good/all.zip": zipped(CONTENT)}
    with pytest.raises(DataError, match=r"bad/all\.zip: sent .*put all\.zip by hand"):
        obtain(of_an_archive(mirror.url + "bad/"))
    assert kept(cache) == []
    assert obtain(of_an_archive(mirror.url + "bad/", mirror.url + "good/")).exists()
    assert kept(cache) == ["bytes"]


def test_a_file_without_a_suffix_is_fetched_as_it_is(mirror: Mirror, cache: Path) -> None:
    mirror.files["/bytes"] = CONTENT
    things = Collection("things", (RemoteFile("bytes", DIGEST, (mirror.url,), suffix=""),))
    assert obtain(things).read_bytes() == CONTENT
    assert kept(cache) == ["bytes"]
    assert things.source(download=False) == "cached"
