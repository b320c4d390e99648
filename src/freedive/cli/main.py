"""The command ``freedive``: finds the command's function and turns errors into one line."""

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable

from freedive.core.errors import FreediveError, unknown

# command: (what it does, where its function is); nothing is imported until it is called
COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("what can be run", "looking:list_systems"),
    "show": ("one system: settings, layers, claims, source", "showing:show"),
    "train": ("train a system", "training:train"),
    "resume": ("go on with a run that was stopped", "training:resume"),
    "evaluate": ("measure a run's model on data", "judging:evaluate"),
    "predict": ("a run's model on your pictures or on examples", "judging:predict"),
    "generate": ("a run's language model goes on with your words", "generating:generate"),
    "translate": ("a run's model translates your sentences", "translating:translate"),
    "attention": ("which words a run's model looks at", "attention:attention"),
    "submit": ("a run's prices for the rows without one, as a file", "submitting:submit"),
    "compare": ("scratch against concise, or run against run", "comparing:compare"),
    "runs": ("the runs so far", "looking:list_runs"),
    "plot": ("the curves of runs", "looking:plot"),
    "verify": ("the book's claims, measured", "verifying:verify"),
    "doctor": ("what is wrong with a model and raises no error", "doctoring:doctor"),
    "lab": ("run an experiment of the book; without a name, list them", "labs:lab"),
    "data": ("list, get or check data sets", "datasets:data"),
    "d2l": ("run or port code written against the d2l package", "old_code:old_code"),
}

USAGE = """\
usage: freedive COMMAND [ARGUMENTS]

The deep-learning textbook as working software.

{commands}

freedive COMMAND --help says more; --debug shows where an error comes from.
Begin with: freedive train lenet
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 for wrong usage, 1 for anything else that fails."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [word for word in args if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):  # a terminal without × or → shows a question mark
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read has seen enough: `freedive list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if args[:1] not in (["train"], ["resume"]):
            return 0
        print("freedive: the output was closed, so the run has stopped", file=sys.stderr)
        return 1
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        print(f"freedive: {complaint(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, FreediveError) else 1


def run(args: list[str]) -> int:
    """Find the command and call it."""
    if not args or args[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        rows = [f"  {name:{width}}  {what}" for name, (what, _) in COMMANDS.items()]
        print(USAGE.format(commands="\n".join(rows)), end="")
        return 0
    if args[0] in ("-V", "--version"):
        from freedive import __version__

        print(f"freedive {__version__}")
        return 0
    if args[0] not in COMMANDS:
        raise unknown("command", args[0], COMMANDS)
    module, _, function = COMMANDS[args[0]][1].partition(":")
    command: Callable[[list[str]], int] = getattr(
        importlib.import_module(f"freedive.cli.{module}"), function
    )
    try:
        return command(args[1:])
    except SystemExit as end:  # after --help
        return int(end.code or 0)


def complaint(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, FreediveError):
        return " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    first = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {first} (--debug shows where)"


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """A warning in one line."""
    print(f"freedive: {message}", file=sys.stderr)


def entry() -> None:
    """What the installed command calls."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - closed by whoever called
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    warnings.showwarning = _warn
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # not sys.exit: after a Ctrl-C that came during an import, Python would end by the signal
    os._exit(code)
