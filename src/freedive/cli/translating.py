"""``freedive translate``: a run's model translates sentences, or lines as they come."""

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from freedive.cli.judging import Chosen
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json
from freedive.cli.texts import codecs_of, facts_of, model_alone
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, check_arguments
from freedive.data.store import read_text
from freedive.data.translation import padded
from freedive.runs import find_run


@dataclass
class Translate(Chosen):
    """What is to be translated."""

    sentences: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Each in quotes; without any, lines are read from standard input."""
    file: Path | None = None
    """Read the lines of this file instead."""
    beam: Count = 1
    """How many translations are followed at once; 1 takes the likeliest word each time."""
    json: bool = False
    """One JSON object a sentence instead of text."""


@dataclass
class Translation:
    """A sentence, what became of it (None where it was refused), and its unknown words."""

    source: str
    translation: str | None
    unknown: list[str]


def translate(args: list[str]) -> int:
    """Translate sentences; the exit code is 1 where a line could not be."""
    about = "A run's model translates sentences, or lines as they come."
    asked = parse(Translate, args, "freedive translate", about)
    check_arguments(Translate.__init__, vars(asked))
    if asked.sentences and asked.file:
        raise UsageError("translate wants sentences or --file, got both: leave one of them")
    translator = Translator(asked)
    if asked.sentences:
        for sentence in asked.sentences:
            translator.check(sentence)  # before the first answer: all can be had, or none
        for sentence in asked.sentences:
            answer(translator(sentence), asked.json)
        return 0
    if asked.file is not None:
        return answer_lines(translator, read_text(asked.file).splitlines(), asked.json)
    return answer_lines(translator, standard_input(), asked.json)


class Translator:
    """A run's model with both of its codecs."""

    def __init__(self, asked: Translate):
        run = find_run(asked.run, Path(asked.runs_dir))
        self.model: Any = model_alone(run, "translate", asked.checkpoint, asked.device)
        self.source, self.target = codecs_of(run)
        self.num_steps = int(facts_of(run)["num_steps"])
        self.beam = asked.beam

    def check(self, sentence: str) -> str:
        """The sentence as the model reads it, if it can.

        Raises:
            UsageError: it has no words, or too many.
        """
        words = self.source.clean(sentence).split()
        if not words:
            raise UsageError("a sentence wants at least one word, got an empty one")
        if len(words) >= self.num_steps:
            raise UsageError(
                f"a sentence of {len(words)} words and marks is longer than the "
                f"{self.num_steps - 1} that this model reads: shorten or split it"
            )
        return " ".join(words)

    def __call__(self, sentence: str) -> Translation:
        """The translation of one sentence."""
        rows, lengths = padded([self.check(sentence)], self.source.vocab, self.num_steps)
        device = next(self.model.parameters()).device
        (tokens,) = self.model.translate(rows.to(device), lengths.to(device), beam=self.beam)
        return Translation(sentence, self.target.decode(tokens), self.source.unknown(sentence))


def standard_input() -> Iterable[str]:
    """The lines of standard input as they come."""
    if sys.stdin is None:  # closed by whoever called
        return
    if sys.stdin.isatty():
        print("a sentence a line; Ctrl-D ends", file=sys.stderr)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    for line in sys.stdin:
        yield line.rstrip("\n")


def answer_lines(translator: Translator, lines: Iterable[str], as_json: bool) -> int:
    """Answer each line before the next is read; one that cannot be translated is told and passed.

    There is a line of output for each line of input, so that the two can be laid side by side.
    """
    refused = 0
    for number, line in enumerate(lines, 1):
        try:
            found = translator(line)
        except UsageError as error:
            refused += 1
            print(f"freedive: line {number}: {error}", file=sys.stderr, flush=True)
            found = Translation(line, None, [])
        answer(found, as_json)
    return 1 if refused else 0


def answer(found: Translation, as_json: bool) -> None:
    """Print a translation, and say which words were not understood."""
    if as_json:
        print_json(asdict(found))
        return
    if found.unknown:
        words = ", ".join(map(repr, found.unknown))
        print(f"freedive: not known, read as <unk>: {words}", file=sys.stderr, flush=True)
    print(found.translation or "", flush=True)
