"""From words on a command line to typed values, with complaints of one line."""

import contextlib
import difflib
import io
import re
from itertools import dropwhile, takewhile
from typing import Any, TypeVar

import tyro

from freedive.core.errors import UsageError

T = TypeVar("T")
# one flag for each switch, no prefix for groups, no flag for fields that only group
STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
NOT_A_NUMBER = {
    "a whole number": "invalid literal for int",
    "a number": "could not convert string to float",
}
# what other programs call it
OTHER_WORDS = {
    "--learning-rate": "--lr",
    "--epochs": "--max-epochs",
    "--batch": "--batch-size",
    "--hidden": "--num-hiddens",
    "--gpus": "--num-gpus",
    "--dataset": "--data",
    "--form": "--impl",
}


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
    """The message in tyro's box: what stands between its title and the next rule."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)  # a terminal gets colours
    lines = [line.strip("│| ") for line in plain.splitlines()[1:]]
    body = dropwhile(_is_rule, lines)
    words = " ".join(takewhile(lambda line: not _is_rule(line), body))
    words = " ".join(words.split()) or "the arguments cannot be read"
    for kind, reason in NOT_A_NUMBER.items():
        words = re.sub(
            rf"Error parsing (\S+): {reason}.*: (.+)$", rf"\1 wants {kind}, got \2", words
        )
    return words


def _is_rule(line: str) -> bool:
    return not line.strip("─-╭╮╰╯ ")


def _not_known(word: str, flags: list[str], prog: str) -> UsageError:
    flag = word.split("=")[0].replace("_", "-")
    if not flag.startswith("-"):
        return UsageError(f"{prog} has no use for {word!r} (see {prog} --help)")
    near = difflib.get_close_matches(flag, flags, n=1, cutoff=0.6)
    near = [known for known in (OTHER_WORDS.get(flag),) if known in flags] or near
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
