"""From words on a command line to typed values, with complaints of one line."""

import contextlib
import difflib
import io
from typing import Any, TypeVar

import tyro

from freedive.core.errors import UsageError

T = TypeVar("T")
# one flag for each switch, no prefix for groups, no flag for fields that only group
STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


def parse(form: type[T], args: list[str], prog: str, description: str = "") -> T:
    """The fields of a dataclass from command-line words.

    Raises:
        UsageError: a flag that does not exist (with the nearest that does), a value of the wrong
            kind, something missing.
    """
    value, rest = parse_known(form, args, prog, description)
    if rest:
        raise _not_known(rest[0], _flags(form), prog)
    return value


def parse_known(
    form: type[T], args: list[str], prog: str, description: str = "", add_help: bool = True
) -> tuple[T, list[str]]:
    """Like `parse`, but what is not known is handed back."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            value, rest = tyro.cli(
                form,
                args=args,
                prog=prog,
                description=description or None,
                config=STYLE,
                return_unknown_args=True,
                add_help=add_help,
            )
    except SystemExit as end:
        if not end.code:  # --help was asked for and given
            raise
        raise UsageError(f"{_one_line(complaint.getvalue())} (see {prog} --help)") from None
    return value, list(rest)


def _one_line(box: str) -> str:
    """The message in tyro's box, whose first line is a frame and whose rules end the message."""
    lines = [line.strip("│| ") for line in box.splitlines()[1:]]
    message: list[str] = []
    for line in lines:
        if line[:1] in "─╰-+" and line:
            break
        message.append(line)
    return " ".join(" ".join(message).split()) or "the arguments cannot be read"


def _not_known(word: str, flags: list[str], prog: str) -> UsageError:
    flag = word.split("=")[0].replace("_", "-")
    if not flag.startswith("-"):
        return UsageError(f"{prog} has no use for {word!r} (see {prog} --help)")
    near = difflib.get_close_matches(flag, flags, n=1, cutoff=0.5)
    way_out = f"did you mean {near[0]}?" if near else f"see {prog} --help"
    return UsageError(f"{prog} has no flag {flag}: {way_out}")


def _flags(form: Any) -> list[str]:
    """The flags of a dataclass, its groups' included."""
    flags = []
    for name, field in form.__dataclass_fields__.items():
        if hasattr(field.type, "__dataclass_fields__"):
            flags += _flags(field.type)
        else:
            flags.append("--" + name.replace("_", "-"))
    return flags
