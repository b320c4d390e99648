"""Where the files of a data set come from: the user's folder, the cache, or the network."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pooch

from freedive.core.errors import DataError
from freedive.data.fetch import fetch, unpacked

Source = Literal["given", "cached", "download"]


def cache_dir() -> Path:
    """The one folder of this user for fetched and made data: FREEDIVE_CACHE, or the system's."""
    asked = os.environ.get("FREEDIVE_CACHE")
    if not asked:
        return Path(pooch.os_cache("freedive"))
    folder = Path(asked).expanduser()
    if not folder.is_absolute():
        raise DataError(
            f"FREEDIVE_CACHE wants an absolute path, got {asked!r}: "
            "a relative one would be another folder wherever one stands"
        )
    return folder


def given_root() -> Path | None:
    """The folder that FREEDIVE_DATA names; None where it is not set.

    Raises:
        DataError: where it is set but is no folder with something in it.
    """
    asked = os.environ.get("FREEDIVE_DATA")
    if not asked:
        return None
    root = Path(asked).expanduser()
    way_out = "correct FREEDIVE_DATA or unset it"
    if not root.exists():
        raise DataError(f"FREEDIVE_DATA names {asked!r}, which does not exist: {way_out}")
    if not root.is_dir():
        raise DataError(f"FREEDIVE_DATA wants a folder, {asked!r} is none: {way_out}")
    _check_readable(root)
    if not any(root.iterdir()):
        raise DataError(f"FREEDIVE_DATA names {asked!r}, which is empty: {way_out}")
    return root


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its content's name and hash, and where copies of it lie.

    Args:
        name: of the unpacked content.
        sha256: of the unpacked content.
        mirrors: base URLs, tried in order.
        suffix: what the published file's name has after the content's.
        archive: the published zip archive that the content is a member of; empty for none.
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...] = ()
    suffix: str = ".gz"
    archive: str = ""

    @property
    def published_name(self) -> str:
        """What the file is called on a mirror."""
        return self.archive or self.name + self.suffix

    def within(self, folder: Path) -> Path | None:
        """This file in a folder, plain or as it is published; None where it is not there."""
        paths = (folder / self.name, folder / self.published_name)
        return next((path for path in paths if path.is_file()), None)

    def read(self, path: Path) -> bytes:
        """The content of a copy, plain or as it is published.

        Raises:
            DataError: it cannot be read, or is damaged.
        """
        return unpacked(read_bytes(path), str(path), self.name)

    def matches(self, content: bytes) -> bool:
        """Whether this is the published content."""
        return hashlib.sha256(content).hexdigest() == self.sha256


@dataclass(frozen=True)
class Collection:
    """The files of one data set; each comes from FREEDIVE_DATA, else the cache, else a mirror."""

    name: str
    files: tuple[RemoteFile, ...]

    @property
    def cache(self) -> Path:
        """The folder of these files in the cache."""
        return cache_dir() / self.name

    def given(self) -> Path | None:
        """The user's folder with these files; None where FREEDIVE_DATA holds only others.

        Raises:
            DataError: where it holds some of the files but not all.
        """
        root = given_root()
        if root is None:
            return None
        folder = root / self.name
        if not folder.is_dir():
            if not any(file.within(root) for file in self.files):
                return None
            folder = root
        _check_readable(folder)
        missing = [f.published_name for f in self.files if not f.within(folder)]
        if missing:
            raise DataError(
                f"{folder} lacks {', '.join(missing)} of {self.name}: "
                "add what is missing or unset FREEDIVE_DATA"
            )
        return folder

    def source(self, download: bool = True) -> Source | None:
        """Where the files would come from; looks at names only, and never at the network."""
        if self.given():
            return "given"
        if all(file.within(self.cache) for file in self.files):
            return "cached"
        return "download" if download else None

    def obtain(self, file: RemoteFile, download: bool = True) -> Path:
        """The path of one file, fetched if need be.

        A file in the cache or from the network is the published one; one that the user gave
        is handed on as it is.

        Raises:
            DataError: where it cannot be had; says where to put it by hand.
        """
        folder = self.given()
        if folder:
            path = file.within(folder)
            assert path is not None  # `given` has looked
            return path
        return self._cached(file) or self._fetched(file, download)

    def _cached(self, file: RemoteFile) -> Path | None:
        path = file.within(self.cache)
        if path is None:
            return None
        try:
            return path if file.matches(file.read(path)) else None
        except DataError:
            return None  # damaged: to be fetched anew

    def _fetched(self, file: RemoteFile, download: bool) -> Path:
        reasons = ["downloading was not wanted"]
        if download:
            try:
                self.cache.mkdir(parents=True, exist_ok=True)
                with _one_process_at_a_time(self.cache):
                    urls = tuple(mirror + file.published_name for mirror in file.mirrors)
                    reasons = fetch(urls, file.sha256, file.name, self.cache)
            except OSError as error:
                raise DataError(
                    f"cannot write {self.cache} ({error.strerror or error}): make room there, "
                    "or set FREEDIVE_CACHE to a folder that can be written"
                ) from None
            if not reasons:
                return self.cache / file.name
        names = ", ".join(f.published_name for f in self.files)
        raise DataError(
            f"cannot get {file.published_name} of {self.name} ({'; '.join(reasons)}): "
            f"put {names} by hand into {self.cache}, or into DIR{os.sep}{self.name} "
            "and set FREEDIVE_DATA=DIR"
        )


def read_bytes(path: Path) -> bytes:
    """All bytes of a file; what hinders becomes a `DataError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror or error}): give a file that can be read"
        ) from None


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DataError: it is missing, a folder, empty, or not UTF-8.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder: give one text file")
    if not path.exists():
        raise DataError(f"{path} does not exist: give a text file in UTF-8")
    text = decoded(read_bytes(path), path)
    if not text.strip():
        raise DataError(f"{path} is empty: give a file with text in it")
    return text


def decoded(content: bytes, path: Path) -> str:
    """The text of a file's bytes, with ``\\n`` at the ends of lines.

    Raises:
        DataError: they are not UTF-8.
    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8, for example with "
            "iconv -f latin1 -t utf-8"
        ) from None


def _check_readable(folder: Path) -> None:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DataError(
            f"cannot read the folder {folder}: change its permissions, or correct FREEDIVE_DATA"
        )


@contextlib.contextmanager
def _one_process_at_a_time(folder: Path) -> Iterator[None]:
    """Of several processes that want the same file one fetches it, and the others find it."""
    with (folder / ".lock").open("a") as lock:
        with contextlib.suppress(ImportError, OSError):  # no such locks on this system
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
