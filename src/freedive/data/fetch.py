"""Fetching one file over HTTP: from mirrors, continued where it broke off, checked before kept."""

import gzip
import io
import logging
import zipfile
import zlib
from functools import partial
from pathlib import Path

import pooch
import requests
import urllib3

from freedive.core.errors import DataError

TIMEOUTS = (3.0, 30.0)  # seconds to connect and between two pieces; the first is an offline wait
MAX_TRIES = 8  # of one URL, each of which must have moved something
CHUNK = 1 << 16
MAX_MEMBER = 1 << 30  # bytes: more than any file of these data sets, less than a memory

log = logging.getLogger(__name__)


def unpacked(data: bytes, where: str, member: str = "") -> bytes:
    """The content of a file: unpacked where its first bytes say gzip or zip, refused where HTML.

    Args:
        data: the file's bytes.
        where: its name, for errors.
        member: what a zip archive's wanted member is called, in whichever of its folders it is.

    Raises:
        DataError: for a damaged file, an archive without the member, or a web page under a data
            file's name.
    """
    if is_page(data):
        raise DataError(
            f"{where} is an HTML page, not data (an error or login page was saved): "
            "delete it and get the file again"
        )
    if member and data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzipped(data, where, member)
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{where} is a damaged or cut-off gzip file ({error}): delete it and get it again"
        ) from None


def is_page(data: bytes) -> bool:
    """Whether a file begins as a web page does: as what a login or an error answers with."""
    return data[:512].lstrip().lower().startswith((b"<!doctype", b"<html"))


def _unzipped(data: bytes, where: str, member: str) -> bytes:
    """One member of a zip archive, read in memory: nothing is written where its path would say."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [i for i in archive.infolist() if i.filename.rpartition("/")[2] == member]
            if not infos:
                raise DataError(f"{where} is a zip archive without {member}: get the right one")
            if infos[0].file_size > MAX_MEMBER:
                raise DataError(
                    f"{where} says that its {member} has {infos[0].file_size:,} bytes, and at most "
                    f"{MAX_MEMBER:,} are read: get the right one"
                )
            return archive.read(infos[0])
    except DataError:
        raise
    except Exception as error:  # zipfile has a dozen kinds, whose words may quote the whole file
        raise DataError(
            f"{where} is a damaged or cut-off zip archive ({type(error).__name__}): "
            "delete it and get it again"
        ) from None


def fetch(urls: tuple[str, ...], sha256: str, name: str, folder: Path) -> list[str]:
    """Fetch one file into a folder from the first URL that gives it.

    What has arrived stands in ``name.part`` and is continued by the next try or the next call;
    the final name appears at once and only on the whole, unpacked and verified content.

    Args:
        urls: where the file lies, plain, gzipped or in a zip archive.
        sha256: of the unpacked content.
        name: of the content, in the folder and in the archive.
        folder: exists.

    Returns:
        Nothing when the file is there, else one reason a URL.

    Raises:
        OSError: where the folder cannot be written.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # a mirror that does not answer is no news
    part = folder / f"{name}.part"
    reasons = []
    for url in urls:
        log.info("fetching %s", url)
        for _ in range(MAX_TRIES):
            before = _size(part)
            reason = _try_once(url, sha256, name, part)
            if not reason:
                return []
            if _size(part) == before:
                break  # else it broke off further on, or an older part was not of this file
        reasons.append(f"{url}: {reason}")
    return reasons


def _try_once(url: str, sha256: str, name: str, part: Path) -> str:
    """Fetch, check and name the file; returns why it failed, or nothing."""
    downloader = partial(_download, part=part, member=name)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", name, part.parent, downloader=downloader)
    except requests.HTTPError as error:
        return str(error).partition(" for url")[0]
    except requests.ConnectTimeout:
        return f"no answer within {TIMEOUTS[0]:g} s"
    except requests.ConnectionError:
        return "no connection"
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return f"the transfer broke off ({type(error).__name__})"
    except DataError:
        part.unlink()
        return "sent an HTML page or a damaged file (does the network want a login?)"
    except ValueError:  # pooch: the hash is another
        part.unlink()
        return "sent another content than the published one (wrong SHA-256)"
    part.unlink(missing_ok=True)  # it never was where another process has fetched the file
    return ""


def _download(url: str, output: str, _pooch: object, *, part: Path, member: str) -> None:
    """A downloader for pooch: completes the part, then writes its content to the output."""
    _transfer(url, part)
    Path(output).write_bytes(unpacked(part.read_bytes(), url, member))


def _transfer(url: str, part: Path) -> None:
    """Append to the part what is missing of a URL, where the server can; else all of it."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"}  # the file's own bytes: lengths and ranges agree
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
        if start and response.status_code == requests.codes.range_not_satisfiable:
            return  # nothing is missing, or the part is too long: its hash will tell
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        with part.open("ab" if resumed else "wb") as stream:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                stream.write(chunk)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
