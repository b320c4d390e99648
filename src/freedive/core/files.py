"""Files that are written whole or not at all."""

import errno
import json
import math
import os
import secrets
from pathlib import Path
from typing import Any

from freedive.core.errors import FreediveError


class StorageError(FreediveError):
    """A folder that cannot be written to."""


def write_whole(path: Path, content: bytes | str) -> None:
    """Put ``content`` at ``path`` in one move: a reader sees the old file or the new, never a part.

    Raises:
        StorageError: the disk is full or read-only; what was there before is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise storage_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """`write_whole` for anything that `json_text` can say."""
    write_whole(path, json_text(value, indent=2) + "\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON in ASCII, which every terminal and file system can carry.

    What JSON has no number for (NaN, infinity) becomes null.
    """
    return json.dumps(_sayable(value), indent=indent, allow_nan=False, default=str)


def _sayable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _sayable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sayable(part) for part in value]
    return value


def storage_error(path: Path, error: OSError) -> StorageError:
    """An operating system's refusal in one line, with the way out."""
    reasons = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EDQUOT: "the disk quota is used up: free some space",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "it may not be written to",
        errno.ENOTDIR: "a part of the path is a file",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot write {path}: {reason}, or choose another folder")
