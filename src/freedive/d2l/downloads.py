"""Files by URL or by name: checked before they are kept, in one folder for each user (R14)."""

import os
import tarfile
import zipfile
from pathlib import Path

import pooch
import requests

from freedive.core.errors import DataError
from freedive.data.fetch import TIMEOUTS, is_page
from freedive.data.store import cache_dir, given_root

DATA_URL = "http://d2l-data.s3-accelerate.amazonaws.com/"
DATA_HUB: dict[str, tuple[str, str]] = {
    name: (DATA_URL + file, sha1)
    for name, file, sha1 in (
        ("kaggle_house_train", "kaggle_house_pred_train.csv",
         "585e9cc93e70b39160e7921475f9bcd7d31219ce"),
        ("kaggle_house_test", "kaggle_house_pred_test.csv",
         "fa19780a7b011d9b009e8bff8e99922a8ee2eb90"),
        ("time_machine", "timemachine.txt", "090b5e7e70c295757f55df93cb0a180b9691891a"),
        ("fra-eng", "fra-eng.zip", "94646ad1522d915e7b0f9296181140edcf86a4f5"),
        ("airfoil", "airfoil_self_noise.dat", "76e5be1548fd8222e5074cf0faae75edff8cf93f"),
    )
}  # fmt: skip


def download(url: str, folder: str | None = None, sha1_hash: str | None = None) -> str:
    """The path of a file, fetched if it is not there.

    Args:
        url: where it lies, or its name in `DATA_HUB`.
        folder: where to keep it; None is the user's cache, wherever one stands.
        sha1_hash: of its content; what has another is not kept.

    Raises:
        DataError: it cannot be had, or is another file.
    """
    if not url.startswith(("http://", "https://")):
        if url not in DATA_HUB:
            raise DataError(
                f"no file is called {url!r}: DATA_HUB has {', '.join(sorted(DATA_HUB))}; pass a "
                "URL, or add DATA_HUB[name] = (url, sha1_hash)"
            )
        url, sha1_hash = DATA_HUB[url]
    name = url.split("/")[-1].split("?")[0]
    where = Path(folder) if folder else cache_dir() / "d2l"
    root = given_root()
    places = [where / name, *(sorted(root.glob(f"*/{name}")) if root else [])]
    for path in places:
        if path.is_file() and (not sha1_hash or pooch.file_hash(str(path), "sha1") == sha1_hash):
            return str(path)
    return fetched(url, sha1_hash, name, where)


def fetched(url: str, sha1_hash: str | None, name: str, where: Path) -> str:
    """Fetch a file; it gets its name when all of it is there and is what it should be."""
    try:
        where.mkdir(parents=True, exist_ok=True)
        known = f"sha1:{sha1_hash}" if sha1_hash else None
        return str(pooch.retrieve(url, known, name, where, downloader=no_page))
    except requests.RequestException as error:
        reason = str(error).partition(" for url")[0].partition("(Caused")[0][:80]
        raise DataError(f"cannot get {url} ({reason}): put {name} by hand into {where}") from None
    except ValueError:  # pooch: the hash is another
        raise DataError(
            f"{url} is not the published file (its SHA-1 is another): put {name} by hand into "
            f"{where}"
        ) from None
    except OSError as error:
        raise DataError(
            f"cannot write {where} ({error.strerror or error}): make room there, or set "
            "FREEDIVE_CACHE to a folder that can be written"
        ) from None


def no_page(url: str, output: str, pool: object) -> None:
    """A downloader for pooch that refuses what a login or an error answers with."""
    pooch.HTTPDownloader(timeout=TIMEOUTS)(url, output, pool)
    with open(output, "rb") as stream:
        page = is_page(stream.read(512))
    if page and not url.endswith((".htm", ".html")):
        raise DataError(
            f"{url} answered with an HTML page (an error, or does the network want a login?): get "
            "the file by hand, and pass its folder"
        )


def extract(filename: str, folder: str | None = None) -> None:
    """Unpack a zip or tar archive beside itself, or into a folder; no member may leave it."""
    where = folder or os.path.dirname(filename)
    if zipfile.is_zipfile(filename):
        with zipfile.ZipFile(filename) as archive:
            refuse_outside(archive.namelist(), filename)
            archive.extractall(where)
    elif tarfile.is_tarfile(filename):
        with tarfile.open(filename) as tar:
            refuse_outside(tar.getnames(), filename)
            tar.extractall(where, filter="data")
    else:
        raise DataError(f"{filename} is no zip or tar archive, or a damaged one: get it again")


def refuse_outside(names: list[str], filename: str) -> None:
    """Raise `DataError` for a member that would land outside of the folder."""
    for name in names:
        if name.startswith(("/", "\\")) or ".." in Path(name).parts:
            raise DataError(f"{filename} holds {name!r}, which leaves its folder: not unpacked")


def download_extract(name: str, folder: str | None = None) -> str:
    """Fetch and unpack an archive; gives the folder that it holds, or one inside it."""
    filename = download(name)
    extract(filename)
    base, inside = os.path.split(filename)
    return os.path.join(base, folder or os.path.splitext(inside)[0])


def download_all() -> None:
    """Fetch all files of `DATA_HUB`."""
    for name in DATA_HUB:
        download(name)
