"""Small files of text, and runs that have learnt from them."""

import random
from pathlib import Path

from freedive.cli.main import main

BOOK = ("the cat sat on a mat and the dog ran home. " * 20).strip()
SUBJECTS = {"i": "je", "you": "tu", "we": "nous", "they": "ils"}
VERBS = {"see": "vois", "like": "aime", "want": "veux"}
OBJECTS = {"the cat": "le chat", "the dog": "le chien", "a house": "une maison"}
PAIRS = [
    (f"{s} {v} {o}.", f"{SUBJECTS[s]} {VERBS[v]} {OBJECTS[o]}.")
    for s in SUBJECTS
    for v in VERBS
    for o in OBJECTS
]
# of a moment
QUICK = ("--max-epochs", "1", "--batch-size", "32", "--quiet", "--device", "cpu")
TINY_PAIRS = ("--num-val", "4", "--num-steps", "6", "--num-hiddens", "8", "--embed-size", "8")


def write_book(folder: Path, name: str = "book.txt") -> Path:
    """A text of 859 characters."""
    path = folder / name
    path.write_text(BOOK, encoding="utf-8")
    return path


def write_pairs(folder: Path, name: str = "pairs.tsv") -> Path:
    """36 sentences with translations."""
    path = folder / name
    shuffled = random.Random(0).sample(PAIRS, len(PAIRS))
    path.write_text("".join(f"{s}\t{t}\n" for s, t in shuffled), encoding="utf-8")
    return path


def train(folder: Path, *args: object) -> Path:
    """The folder of a run called ``a``."""
    system, *more = map(str, args)
    where = ("--runs-dir", str(folder / "runs"), "--name", "a")
    assert main(["train", system, *QUICK, *where, *more]) == 0
    return folder / "runs" / system / "a"
