"""``freedive attention``: which words a run's model looks at."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor

from freedive.cli.judging import Chosen
from freedive.cli.looking import data_label
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table
from freedive.cli.texts import abilities, codecs_of, reader, reads_texts
from freedive.cli.translating import Translate, Translator
from freedive.core.errors import UsageError
from freedive.core.figures import figure_bytes
from freedive.core.files import write_whole
from freedive.core.hyperparameters import Count, check_arguments
from freedive.core.predicting import predicting
from freedive.data.translation import padded
from freedive.experiment import Experiment
from freedive.insight.attention import Attention, attended, axes_of
from freedive.insight.attention_figures import attention_record, heatmaps, maps_of
from freedive.insight.attention_heads import head_summary
from freedive.insight.attention_text import ASCII_SHADES, SHADES, legend, text_heatmap
from freedive.runs import Run, find_run

FORMATS = (".svg", ".png", ".pdf")
WHO_ATTENDS = "freedive list attention and freedive list transformer show systems that do"


@dataclass
class Look(Chosen):
    """What is to be read, and what of it to be shown."""

    sentence: Annotated[str, tyro.conf.Positional] = ""
    """A sentence or the beginning of a text, in quotes."""
    layer: Count | None = None
    """Only this layer of attention, counted from 1 in the order in which they attend."""
    head: Count | None = None
    """Only this head instead of the mean of all."""
    out: Path | None = None
    """The picture's file (.svg, .png, .pdf); samples/attention-asked.svg of the run if left out."""


@dataclass
class Reading:
    """A model with what it is to read.

    Attributes:
        inputs: the arguments of one call.
        axes: the tokens of each sequence, by its name: source and target, or text.
        translation: what was written, where something was.
        unknown: words that the model has never seen.
    """

    model: Any
    inputs: tuple[Tensor, ...]
    axes: dict[str, tuple[str, ...]]
    translation: str | None
    unknown: list[str]


def attention(args: list[str]) -> int:
    """Show which words a run's model looks at when it reads a sentence, and writes its own."""
    about = "Which words a run's model looks at, head by head."
    asked = parse(Look, args, "freedive attention", about)
    check_arguments(Look.__init__, vars(asked))
    if asked.out is not None and asked.out.suffix not in FORMATS:
        raise UsageError(f"--out wants a name that ends in {', '.join(FORMATS)}, got {asked.out}")
    run = find_run(asked.run, Path(asked.runs_dir))
    reading = reading_of(run, asked)
    layers = chosen_layers(layers_of(reading, run), asked)
    rows = [
        {**row, "layer": number}
        for number, layer in layers.items()
        for row in head_summary([layer])
        if asked.head in (None, row["head"])
    ]
    path = asked.out or run.folder / "samples" / "attention-asked.svg"
    title = f"{run.folder.parent.name}/{run.folder.name}, trained on {data_label(run.record)}"
    picture = heatmaps(list(layers.values()), title=title, head=asked.head)
    write_whole(path, figure_bytes(picture, path.suffix.lstrip(".")))
    if asked.json:
        print_json(told(run, asked, reading, layers, rows, path))
        return 0
    print_reading(reading, layers, asked.head)
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    print(f"written: {path}")
    return 0


def reading_of(run: Run, asked: Look) -> Reading:
    """The run's model, and the sentence as it reads it.

    Raises:
        UsageError: a model that reads no words; a sentence that is empty or too long.
    """
    if not reads_texts(run):
        experiment = Experiment.from_json(run.record)
        raise UsageError(
            f"attention wants a run of a model that reads words, {run.folder} is one of "
            f"{experiment.system}, which learns from {experiment.entry.data.task}: {WHO_ATTENDS}"
        )
    pairs = "translate" in abilities(run)
    return reading_of_pair(asked) if pairs else reading_of_text(run, asked)


def reading_of_pair(asked: Look) -> Reading:
    """A sentence with its greedy translation, which the model is then told word by word."""
    how = {name: getattr(asked, name) for name in ("run", "checkpoint", "device", "runs_dir")}
    translator = Translator(Translate(**how))
    model, target = translator.model, translator.target
    words = translator.check(asked.sentence)
    rows, lengths = padded([words], translator.source.vocab, translator.num_steps)
    inputs, tokens = model.reread(rows, lengths)
    axes = {
        "source": (*words.split(), "<eos>"),
        "target": tuple(target.vocab.to_tokens(inputs[1][0].tolist())),
    }
    unknown = translator.source.unknown(asked.sentence)
    return Reading(model, inputs, axes, target.decode(tokens), unknown)


def reading_of_text(run: Run, asked: Look) -> Reading:
    """The beginning of a text."""
    model: Any = reader(run, asked.checkpoint, asked.device)
    (codec,) = codecs_of(run)
    tokens = codec.encode_prompt(asked.sentence)
    most = getattr(model, "context", None)
    if most is not None and len(tokens) > most:
        raise UsageError(
            f"a text of {len(tokens)} tokens is longer than the {most} that this model looks back "
            "on: give a part of it"
        )
    inputs = torch.tensor([tokens], device=next(model.parameters()).device)
    return Reading(model, (inputs,), {"text": tuple(codec.decode([t]) for t in tokens)}, None, [])


def layers_of(reading: Reading, run: Run) -> list[Attention]:
    """Every attention of one pass, with its tokens.

    Raises:
        UsageError: nothing in the model attends.
    """
    with predicting(reading.model):
        found = attended(reading.model, reading.inputs, reading.axes)
    if not found:
        system = Experiment.from_json(run.record).system
        raise UsageError(f"nothing in {system} attends: {WHO_ATTENDS}")
    return found


def chosen_layers(layers: Sequence[Attention], asked: Look) -> dict[int, Attention]:
    """The layers that were asked for, by number.

    Raises:
        UsageError: a layer or a head that is not there.
    """
    if asked.layer is not None and asked.layer > len(layers):
        raise UsageError(
            f"there is no layer {asked.layer}: this model attends in {len(layers)}, "
            "counted from 1 in the order in which they do"
        )
    numbers = [asked.layer] if asked.layer else range(1, 1 + len(layers))
    found = {number: layers[number - 1] for number in numbers}
    for number, layer in found.items():
        heads = layer.weights.shape[1]
        if asked.head is not None and asked.head > heads:
            raise UsageError(
                f"there is no head {asked.head}: layer {number} ({layer.name}) has {heads}, "
                "counted from 1"
            )
    return found


def told(
    run: Run,
    asked: Look,
    reading: Reading,
    layers: dict[int, Attention],
    rows: list[dict[str, Any]],
    path: Path,
) -> dict[str, Any]:
    """All of it, for programs."""
    heads = slice(None) if asked.head is None else slice(asked.head - 1, asked.head)
    shown = [replace(layer, weights=layer.weights[:, heads]) for layer in layers.values()]
    records = zip(layers, attention_record(shown)["attentions"], strict=True)
    return {
        "run": str(run.folder),
        "data": data_label(run.record),
        "checkpoint": asked.checkpoint,
        "sentence": asked.sentence,
        "translation": reading.translation,
        "unknown": reading.unknown,
        "attentions": [{"layer": number, **record} for number, record in records],
        "heads": rows,
        "file": path,
    }


def print_reading(reading: Reading, layers: dict[int, Attention], head: int | None) -> None:
    """A map for each layer, in a terminal with shades of grey."""
    if reading.unknown:
        words = ", ".join(map(repr, reading.unknown))
        print(f"freedive: not known, read as <unk>: {words}", file=sys.stderr, flush=True)
    if reading.translation is not None:
        print(f"{reading.translation}\n")
    terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size((80, 24)).columns, 120) if terminal else 80
    color = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    shades = SHADES if can_print(SHADES) else ASCII_SHADES
    for number, layer in layers.items():
        maps = maps_of(layer)
        weights = maps.weights.mean(dim=0) if head is None else maps.weights[head - 1]
        many = len(maps.weights)
        which = f"head {head} of {many}" if head else f"mean of {many} heads"
        which = "one head" if many == 1 else which
        named = " × ".join(filter(None, axes_of(reading.model, layer.name, reading.axes)))
        print(f"layer {number}, {layer.name or 'model'} ({named or 'places'}), {which}")
        print(text_heatmap(weights, maps.queries, maps.keys, width, color, shades) + "\n")
    print(f"a line for each query, a column for each key: {legend(color, shades)}\n")


def can_print(text: str) -> bool:
    """Whether standard output has these characters."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
