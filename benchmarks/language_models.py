"""The table of language models in docs/sequences.md: ``python -m benchmarks.language_models``.

Every one is trained as ``freedive train SYSTEM`` does it, and measured on held-out windows of 32
tokens that do not overlap, each read without a memory of what came before it. What was measured is
kept in benchmarks/language_models.json; ``--only`` measures some anew.
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS, fill, machine
from freedive.catalog import Form, find_system
from freedive.core.files import write_json
from freedive.core.trainer import Trainer
from freedive.data.text import TextData
from freedive.experiment import Experiment, choose_data

CASES: dict[str, tuple[str, Form, str | None]] = {
    "rnn-lm, scratch": ("rnn-lm", "scratch", None),
    "rnn-lm": ("rnn-lm", "concise", None),
    "lstm-lm, scratch": ("lstm-lm", "scratch", None),
    "lstm-lm": ("lstm-lm", "concise", None),
    "gru-lm, scratch": ("gru-lm", "scratch", None),
    "gru-lm": ("gru-lm", "concise", None),
    "deep-rnn": ("deep-rnn", "concise", None),
    "lstm-lm, large": ("lstm-lm", "concise", "large"),
}
KEPT = Path(__file__).with_suffix(".json")


def measure(case: str, seed: int, corpus: str) -> dict[str, Any]:
    """Train one model; its perplexity after the last epoch, and what it cost."""
    id, form, preset = CASES[case]
    system = find_system(id)
    name, _ = choose_data(system, corpus)
    began = time.perf_counter()
    experiment = Experiment.of(system, form, name, preset, seed=seed)
    data = experiment.build_data()
    assert isinstance(data, TextData)
    model = experiment.build_model(data)
    trainer = experiment.build_trainer(progress=False)
    history = trainer.fit(model, data)
    seconds = time.perf_counter() - began
    if history.status != "finished":  # half a run is no measurement
        raise SystemExit(f"{case}: {history.status} after {len(history)} epochs")
    windows = type(data)(num_steps=32, batch_size=1024)  # the same for all
    row = Trainer(progress=False).validate(model, windows)
    return {
        "data": data.label,
        "seed": seed,
        "epochs": len(history),
        "train_ppl": history.last["train_ppl"],
        "val_ppl": row["val_ppl"],
        "own_val_ppl": history.last["val_ppl"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
        "machine": machine(),
        "date": str(date.today()),
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as Markdown."""
    head = "| model | held-out perplexity | in training | parameters | epochs | seconds |\n"
    lines = [
        f"| {case} | {r['val_ppl']:.2f} | {r['train_ppl']:.2f} | {r['parameters']:,} "
        f"| {r['epochs']} | {r['seconds']:.0f} |\n"
        for case, r in results.items()
    ]
    told = {f"{r['data']}, seed {r['seed']}, {r['machine']}, {r['date']}" for r in results.values()}
    return f"{head}|---|---|---|---|---|---|\n{''.join(lines)}\n{'; '.join(sorted(told))}.\n"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=[*CASES, []])
    parser.add_argument("--data", default="auto", help="tales for the stand-in")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    kept = KEPT if asked.data == "auto" else KEPT.with_stem(f"language_models_{asked.data}")
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for case in asked.only:
        results[case] = measure(case, asked.seed, asked.data)
        print(case, json.dumps(results[case]), flush=True)
        write_json(kept, results)
    mark = "language models" if asked.data == "auto" else f"language models on {asked.data}"
    fill(DOCS / "sequences.md", mark, table(results))


if __name__ == "__main__":
    main()
