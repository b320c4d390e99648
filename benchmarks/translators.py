"""Three translators in equal time: ``python -m benchmarks.translators``.

seq2seq, bahdanau and transformer learn from the same pairs with about as many parameters, each for
the same seconds of the processor, over which the learning rate rises and falls; then each is judged
by the corpus BLEU of 1,000 held-out pairs, greedy. What was measured is kept in
benchmarks/translators.json, run by run, and the table in docs/attention.md is written from there.
"""

import argparse
import json
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS, fill, machine
from benchmarks.timing import Budget
from freedive.catalog import find_system
from freedive.core.files import write_json
from freedive.experiment import Experiment, choose_data
from freedive.topics.seq2seq.bleu import corpus_bleu
from freedive.topics.seq2seq.translating import translate_sentences

KEPT = Path(__file__).with_suffix(".json")
PAIRS = {
    "split": "random",
    "num_train": 10_000,
    "num_val": 1_000,
    "num_steps": 10,
    "min_freq": 3,
    "batch_size": 128,
}
RECURRENT = {"embed_size": 128, "num_hiddens": 64, "dropout": 0.2, "lr": 0.004}
SYSTEMS: dict[str, dict[str, Any]] = {
    "seq2seq": RECURRENT,
    "bahdanau": RECURRENT,
    "transformer": {
        "num_hiddens": 80,
        "ffn_num_hiddens": 160,
        "norm_first": True,
        "dropout": 0.2,
        "lr": 0.003,
    },
}


def measure(id: str, seed: int, budget: float, corpus: str) -> dict[str, Any]:
    """Train one translator for that long; what it makes of the held-out pairs."""
    system = find_system(id)
    name, _ = choose_data(system, corpus)
    settings = {**PAIRS, **SYSTEMS[id], "seed": seed, "max_epochs": 10_000}
    experiment = Experiment.of(system, None, name, **settings)
    data: Any = experiment.build_data()
    model: Any = experiment.build_model(data)
    sources, references = zip(*data.pairs[1], strict=True)
    data.train_dataloader()  # reads and encodes the pairs before the time begins
    began, worked = time.perf_counter(), time.process_time()
    trainer = experiment.build_trainer(progress=False, callbacks=[Budget(budget)])
    trainer.fit(model, data)
    return {
        "system": id,
        "seed": seed,
        "data": data.label,
        "budget": budget,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": round(trainer.epochs_passed, 2),
        "bleu": corpus_bleu(translate_sentences(model, *data.codecs, sources), references),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
        "date": str(date.today()),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """The results as Markdown, a row for each system."""
    seeds = sorted({r["seed"] for r in runs})
    head = f"| system | parameters | epochs | {' | '.join(f'seed {s}' for s in seeds)} | mean |\n"
    rows = []
    for id in SYSTEMS:
        mine = {r["seed"]: r for r in runs if r["system"] == id}
        if len(mine) == len(seeds):
            scores = [mine[seed]["bleu"] for seed in seeds]
            epochs = statistics.mean(r["epochs"] for r in mine.values())
            cells = [id, f"{mine[seeds[0]]['parameters']:,}", f"{epochs:.1f}"]
            cells += [f"{score:.3f}" for score in [*scores, statistics.mean(scores)]]
            rows.append(f"| {' | '.join(cells)} |\n")
    told = {f"{r['data']}, {r['budget']:g} s each, {r['machine']}, {r['date']}" for r in runs}
    return f"{head}{'|---' * (len(seeds) + 4)}|\n{''.join(rows)}\n{'; '.join(sorted(told))}.\n"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=300, help="seconds of the processor")
    parser.add_argument("--data", default="auto", help="phrasebook for the stand-in")
    asked = parser.parse_args()
    for seed in asked.seeds:
        for id in asked.systems:
            run = measure(id, seed, asked.budget, asked.data)
            print(json.dumps(run, ensure_ascii=False), flush=True)
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else []
            kept = [r for r in kept if (r["system"], r["seed"]) != (id, seed)]
            write_json(KEPT, [*kept, run])
    fill(DOCS / "attention.md", "translators", table(json.loads(KEPT.read_text())))


if __name__ == "__main__":
    main()
