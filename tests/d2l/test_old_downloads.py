"""``download`` and ``extract``: a server on this machine answers, rightly and wrongly (R14)."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from freedive.core.errors import DataError
from freedive.d2l import downloads

TABLE = b"a,b\n1,2\n"
SHA1 = hashlib.sha1(TABLE).hexdigest()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Answers each path with the bytes that ``files`` has for it; counts what it was asked."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            body = served.files.get(self.path.partition("?")[0])
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    served.files, served.asked = {}, []
    served.url = f"http://127.0.0.1:{served.server_address[1]}"
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("FREEDIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def kept(tmp_path):
    return sorted(p.name for p in tmp_path.rglob("*") if p.is_file())


def test_a_file_is_fetched_once_and_lies_in_the_users_cache(server, tmp_path):
    server.files["/table.csv"] = TABLE
    for _ in range(2):
        path = downloads.download(f"{server.url}/table.csv?x=1", sha1_hash=SHA1)
    assert path == str(tmp_path / "cache" / "d2l" / "table.csv")
    assert (tmp_path / "cache" / "d2l" / "table.csv").read_bytes() == TABLE
    assert server.asked == ["/table.csv?x=1"]


def test_a_name_of_the_hub_and_a_folder_of_ones_own(server, tmp_path, monkeypatch):
    server.files["/table.csv"] = TABLE
    monkeypatch.setitem(downloads.DATA_HUB, "mine", (f"{server.url}/table.csv", SHA1))
    assert downloads.download("mine", folder=str(tmp_path / "here")) == str(
        tmp_path / "here" / "table.csv"
    )
    with pytest.raises(DataError, match=r"no file is called 'mien'.*mine"):
        downloads.download("mien")


def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path):
    server.files["/table.csv"] = TABLE
    path = tmp_path / "cache" / "d2l" / "table.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut")
    downloads.download(f"{server.url}/table.csv", sha1_hash=SHA1)
    assert path.read_bytes() == TABLE


@pytest.mark.parametrize(
    ("answer", "sha1", "told"),
    [
        (b"other", SHA1, "not the published file"),
        (b"<!DOCTYPE html><title>Log in</title>", None, "answered with an HTML page"),
        (b"<!DOCTYPE html><title>Log in</title>", SHA1, "answered with an HTML page"),
        (None, SHA1, "404"),
    ],
)
def test_what_is_not_the_file_is_not_kept(server, tmp_path, answer, sha1, told):
    if answer is not None:
        server.files["/table.csv"] = answer
    with pytest.raises(DataError, match=told) as caught:
        downloads.download(f"{server.url}/table.csv", sha1_hash=sha1)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


def test_a_page_is_kept_where_a_page_is_asked_for(server):
    server.files["/index.html"] = b"<html></html>"
    assert downloads.download(f"{server.url}/index.html").endswith("index.html")


def zipped(member):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(member, TABLE)
    return content.getvalue()


def tarred(member):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(TABLE)
        archive.addfile(info, io.BytesIO(TABLE))
    return content.getvalue()


@pytest.mark.parametrize(("name", "pack"), [("pairs.zip", zipped), ("pairs.tar.gz", tarred)])
def test_an_archive_is_unpacked_beside_itself(server, tmp_path, monkeypatch, name, pack):
    content = server.files[f"/{name}"] = pack("pairs/a.csv")
    entry = (f"{server.url}/{name}", hashlib.sha1(content).hexdigest())
    monkeypatch.setitem(downloads.DATA_HUB, "pairs", entry)
    folder = downloads.download_extract("pairs", "pairs")
    assert (tmp_path / "cache" / "d2l" / "pairs" / "a.csv").read_bytes() == TABLE
    assert folder == str(tmp_path / "cache" / "d2l" / "pairs")


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("member", ["../out.csv", "/out.csv", "a/../../out.csv"])
def test_an_archive_that_leaves_its_folder_is_not_unpacked(tmp_path, pack, member):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad").write_bytes(pack(member))
    with pytest.raises(DataError, match="leaves its folder"):
        downloads.extract(str(tmp_path / "in" / "bad"))
    assert kept(tmp_path) == ["bad"]


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no")
    with pytest.raises(DataError, match="no zip or tar archive"):
        downloads.extract(str(tmp_path / "a.zip"))
