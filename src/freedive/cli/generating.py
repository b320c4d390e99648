"""``freedive generate``: a run's language model goes on with a prompt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from freedive.cli.judging import Chosen
from freedive.cli.looking import data_label
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json
from freedive.cli.texts import codecs_of, model_alone
from freedive.core.hyperparameters import Bounds, Count, NonNegative, Whole, check_arguments
from freedive.data.codec import Codec
from freedive.runs import find_run

Share = Annotated[float, Bounds(0, 1, above=True)]


@dataclass
class Generate(Chosen):
    """With what a text begins, and how it goes on."""

    prompt: Annotated[str, tyro.conf.Positional] = ""
    """What the text begins with, in quotes."""
    num_tokens: Count = 200
    """How many tokens to add."""
    temperature: NonNegative = 1.0
    """Below 1 the likely become likelier; 0 takes the likeliest each time."""
    top_k: Whole = 0
    """Draw only from so many of the likeliest; 0 from all."""
    top_p: Share = 1.0
    """Draw only from the likeliest that together have this share."""
    seed: Whole = 0
    """Of the drawing: the same seed gives the same text."""


def generate(args: list[str]) -> int:
    """Print a prompt and what a model writes after it, while it writes."""
    about = "A run's language model goes on with a prompt."
    asked = parse(Generate, args, "freedive generate", about)
    check_arguments(Generate.__init__, vars(asked))
    run = find_run(asked.run, Path(asked.runs_dir))
    model: Any = model_alone(run, "generate", asked.checkpoint, asked.device)
    (codec,) = codecs_of(run)
    prompt = codec.encode_prompt(asked.prompt)
    how = {name: getattr(asked, name)
           for name in ("num_tokens", "temperature", "top_k", "top_p", "seed")}  # fmt: skip
    pieces = growing(codec, prompt, model.generate(prompt, **how))
    if asked.json:
        print_json({"run": str(run.folder), "data": data_label(run.record),
                    "checkpoint": asked.checkpoint, "prompt": asked.prompt, **how,
                    "text": "".join(pieces)})  # fmt: skip
        return 0
    try:
        for piece in pieces:
            print(piece, end="", flush=True)
    finally:  # also after Ctrl-C, so that what follows has a line of its own
        print(flush=True)
    return 0


def growing(codec: Codec, prompt: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """A text as it grows: the prompt, then what each token adds to it.

    What a word adds depends on what stands before it, so that the two are decoded together.
    """
    yield codec.decode(prompt)
    last = prompt[-1]
    for token in tokens:
        yield codec.decode([last, token]).removeprefix(codec.decode([last]))
        last = token
