"""The table of pretraining in docs/transformer.md: ``python -m benchmarks.pretraining``.

bert is trained on a text as ``freedive train bert --preset small`` does it; bert-classifier then
sorts windows as written from misspelt ones, with few labels, from scratch and from bert's weights,
with a few seeds each; t5 fills gaps of the same text. What was measured is kept in
benchmarks/pretraining.json, part by part, so that some can be measured anew (``--only``; the parts
that begin with bert's weights need its checkpoint, which ``--runs`` keeps).
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from benchmarks.pages import DOCS, fill, machine
from freedive.catalog import find_system
from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.files import write_json
from freedive.core.module import Module
from freedive.data.text import TextData
from freedive.experiment import Experiment, choose_data
from freedive.topics.gated_rnn.masked_tokens import each_fifth
from freedive.topics.transformer.filling import unigram_entropy
from freedive.transfer import take_over

KEPT = Path(__file__).with_suffix(".json")
TRIAL: dict[str, Any] = {"max_epochs": 1, "limit_batches": 2}
PARTS = ("bert", "from scratch", "from bert", "t5")
Result = dict[str, Any]


def trained(
    id: str, data: str, seed: int, trial: bool, first: dict[str, Tensor] | None = None
) -> tuple[Module, Any, Result]:
    """A system trained by its preset, on which data, and how it went.

    Args:
        id: of the system.
        data: auto, or tales for what needs no file.
        seed: of the weights and the batches.
        trial: see whether all works, and learn nothing.
        first: weights to begin with, where they fit.
    """
    system = find_system(id)
    name, _ = choose_data(system, standing_in(id) if data == "tales" else data)
    more = TRIAL if trial else {}
    experiment = Experiment.of(system, data=name, preset="small", seed=seed, **more)
    examples = experiment.build_data()
    model = experiment.build_model(examples)
    taken = "" if first is None else str(take_over(model, first))
    began = time.perf_counter()
    history = experiment.build_trainer(progress=False).fit(model, examples)
    seconds = time.perf_counter() - began
    if history.status != "finished":  # half a run is no measurement
        raise SystemExit(f"{id}: {history.status} after {len(history)} epochs")
    told = {
        "data": examples.label,
        "epochs": len(history),
        "val_loss": history.last["val_loss"],
        "val_acc": history.last["val_acc"],
        "taken": taken,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
        "machine": machine(),
        "date": str(date.today()),
    }
    return model, examples, told


def standing_in(id: str) -> str:
    """The data that need no file, for a system."""
    return str(getattr(find_system(id).data, "standin", "auto"))


def most_frequent(data: TextData) -> float:
    """What always the same guess would reach at the places that bert is asked for."""
    training = torch.tensor(data.codec.tokenizer.encode(data.training_text))
    X = data.windows[1][:, :-1]
    return float((X[each_fifth(X)] == training.bincount().argmax()).double().mean())


def measure(part: str, asked: argparse.Namespace) -> Result:
    """One part of the table."""
    checkpoint = Path(asked.runs) / f"bert-{asked.data}{'-trial' * asked.trial}.safetensors"
    if part == "bert":
        model, data, told = trained("bert", asked.data, 0, asked.trial)
        save_checkpoint(checkpoint, model.state_dict())
        return {**told, "baseline": most_frequent(data)}
    if part == "t5":
        _, data, told = trained("t5", asked.data, 0, asked.trial)
        training = torch.tensor(data.codec.tokenizer.encode(data.training_text))
        return {**told, "entropy": unigram_entropy(training)}
    first = load_checkpoint(checkpoint) if part == "from bert" else None
    runs = [
        trained("bert-classifier", asked.data, seed, asked.trial, first)[1:]
        for seed in range(asked.seeds)
    ]
    results = [told for _, told in runs]
    accuracies = [told["val_acc"] for told in results]
    return {
        **results[0],
        "labels": runs[0][0].num_train,
        "val_acc": mean(accuracies),
        "accuracies": accuracies,
        "seconds": mean(told["seconds"] for told in results),
    }


def table(results: dict[str, Result]) -> str:
    """The results as Markdown."""
    lines = [
        f"| {what} | {reached} | {compared} | {told['parameters']:,} | {told['epochs']} "
        f"| {told['seconds']:.0f} |\n"
        for part, told in results.items()
        for what, reached, compared in [in_words(part, told)]
    ]
    told = {f"{r['data']}, {r['machine']}, {r['date']}" for r in results.values()}
    head = "| what | reached | to compare with | parameters | epochs | seconds |\n"
    return f"{head}|---|---|---|---|---|---|\n{''.join(lines)}\n{'; '.join(sorted(told))}.\n"


def in_words(part: str, told: Result) -> tuple[str, str, str]:
    """What was trained, what it reached, and what that is to be compared with."""
    if part == "bert":
        always = f"{told['baseline']:.3f} by always saying the most frequent"
        return "bert: hidden characters told", f"{told['val_acc']:.3f}", always
    if part == "t5":
        alone = f"{told['entropy']:.3f} by their frequencies"
        return "t5: nats a character in a gap", f"{told['val_loss']:.3f}", alone
    spread = f"{min(told['accuracies']):.3f} to {max(told['accuracies']):.3f}"
    seeds = len(told["accuracies"])
    reached = f"{told['val_acc']:.3f} ({spread}, {seeds} seeds)"
    return f"bert-classifier, {told['labels']} labels, {part}", reached, "0.500 by chance"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=[*PARTS, []])
    parser.add_argument("--data", default="auto", choices=["auto", "tales"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trial", action="store_true", help="measure nothing, keep nothing")
    parser.add_argument("--runs", default="runs", help="folder for bert's weights")
    asked = parser.parse_args()
    kept = Path(asked.runs) / f"trial_{KEPT.name}" if asked.trial else KEPT
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for part in asked.only:
        results[part] = measure(part, asked)
        print(part, json.dumps(results[part]), flush=True)
        write_json(kept, {part: results[part] for part in PARTS if part in results})
    results = {part: results[part] for part in PARTS if part in results}
    if asked.trial:
        print(table(results))
    else:
        fill(DOCS / "transformer.md", "pretraining", table(results))


if __name__ == "__main__":
    main()
