"""A run whose model reads and writes texts, used without the data that it was trained on."""

import shlex
import sys
from typing import Any

from freedive.cli.looking import data_label
from freedive.core.device import choose_device
from freedive.core.errors import FreediveError, UsageError
from freedive.core.module import Module
from freedive.data.codec import Codec
from freedive.data.tables import TABLE
from freedive.data.tabular import TableCodec
from freedive.experiment import Experiment
from freedive.runs import Run

TEXTS = "text.json"  # the file of a run that holds its codecs
# what only some models do, which is also the command for it, and how these models are called
ABILITIES = {"generate": "a language model", "translate": "a translator"}


def codecs_of(run: Run) -> list[Codec]:
    """How a run's model reads and writes: one codec, or a source's and a target's.

    Raises:
        FreediveError: they were not kept, or are not those that the weights were learnt with.
    """
    kept = run.asset(TEXTS)
    parts = {"vocab_size": kept}
    if "source" in kept:
        parts = {"src_vocab_size": kept["source"], "tgt_vocab_size": kept["target"]}
    codecs = {fact: Codec.from_json(part) for fact, part in parts.items()}
    facts = facts_of(run)
    for fact, codec in codecs.items():
        if len(codec.vocab) != facts.get(fact):
            raise FreediveError(
                f"{run.folder / TEXTS} holds a vocabulary that does not belong to the weights: "
                f"it has {len(codec.vocab)} tokens, they have {facts.get(fact)}: restore it"
            )
    return list(codecs.values())


def facts_of(run: Run) -> dict[str, Any]:
    """What a run's model was built from."""
    facts = run.record.get("facts")
    if not isinstance(facts, dict):
        raise FreediveError(f"{run.folder} does not say what its model is made of: train it again")
    return facts


def reads_texts(run: Run) -> bool:
    """Whether a run's model has a vocabulary of its own."""
    return TEXTS in (run.record.get("assets") or {})


def read_as_learnt(run: Run, data: Any) -> None:
    """Let texts or tables be read with what a run's model has learnt with, where it has that."""
    kept = run.record.get("assets") or {}
    if TABLE in kept:
        data.codec = TableCodec.from_json(run.asset(TABLE))
    if not reads_texts(run):
        return
    codecs = codecs_of(run)
    if len(codecs) == 1:
        (data.codec,) = codecs
    else:
        data.codecs = tuple(codecs)


def abilities(run: Run) -> list[str]:
    """What a run's model can do that only some can."""
    experiment = Experiment.from_json(run.record)
    model = experiment.entry.model(experiment.form)
    return [ability for ability in ABILITIES if hasattr(model, ability)]


def model_alone(run: Run, ability: str, checkpoint: str, device: str) -> Module:
    """A run's model with its weights, built without its data and ready to predict.

    Raises:
        UsageError: it is no model that can do what is asked.
    """
    if ability not in abilities(run):
        experiment = Experiment.from_json(run.record)
        raise UsageError(
            f"{ability} wants a run of {ABILITIES[ability]}, {run.folder} is one of "
            f"{experiment.system}, which learns from {experiment.entry.data.task}: freedive list "
            "shows the systems"
        )
    return reader(run, checkpoint, device)


def reader(run: Run, checkpoint: str, device: str) -> Module:
    """The model of a run that reads texts, built without its data and ready to predict."""
    experiment = Experiment.from_json(run.record)
    model = experiment.model_for(facts_of(run)).to(choose_device(device)).eval()
    run.load_weights(model, checkpoint)
    if sys.stderr.isatty():  # for people; standard output holds nothing but the text
        print(f"{run.folder}, trained on {data_label(run.record)}", file=sys.stderr, flush=True)
    return model


def refuse_writers(run: Run) -> None:
    """Refuse a model that neither sorts nor measures, but writes; say which command lets it."""
    for ability in abilities(run):
        raise UsageError(
            f"predict wants a model of pictures or numbers, {run.folder} is {ABILITIES[ability]}: "
            f"freedive {ability} {shlex.quote(str(run.folder))} TEXT"
        )
