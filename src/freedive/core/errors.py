"""Errors that say what was given, what was wanted and the way out, in one line."""

import difflib
from collections.abc import Iterable


class FreediveError(Exception):
    """Something a user can mend; the command line prints its one line and no traceback."""

    exit_code = 1


class UsageError(FreediveError, ValueError):
    """An argument that cannot be obeyed."""

    exit_code = 2


class DataError(FreediveError):
    """A data set that is missing, damaged, or not what its name says."""


class CheckpointError(FreediveError):
    """A checkpoint that is missing, damaged, or another model's."""


class DivergenceError(FreediveError):
    """A loss that is no longer a finite number."""


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest one that does."""
    known = sorted(known)
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    way_out = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return UsageError(f"no {kind} is called {given!r}: {way_out}")
