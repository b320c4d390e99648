"""GPT beside the two-layer LSTM in equal time: ``python -m benchmarks.gpt``.

Both learn The Time Machine with about as many parameters, each for the same seconds of the
processor, over which the learning rate rises and falls, and are judged by their perplexity on
held-out windows of 32, 64 and 128 characters that do not overlap. What was measured is kept in
benchmarks/gpt.json, and the table in docs/transformer.md is written from there.
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS, fill, machine
from benchmarks.timing import Budget
from freedive.catalog import find_system
from freedive.core.files import write_json
from freedive.core.trainer import Trainer
from freedive.experiment import Experiment, choose_data

KEPT = Path(__file__).with_suffix(".json")
PRESETS = {"gpt": "small", "lstm-lm": "large"}
WINDOWS = (32, 64, 128)


def measure(id: str, seed: int, budget: float, corpus: str) -> dict[str, Any]:
    """Train one model for that long; its perplexities on held-out text."""
    system = find_system(id)
    name, _ = choose_data(system, corpus)
    more = {"seed": seed, "max_epochs": 10_000, "schedule": "constant"}  # the budget has its own
    experiment = Experiment.of(system, None, name, PRESETS[id], **more)
    data: Any = experiment.build_data()
    model = experiment.build_model(data)
    data.train_dataloader()  # reads the text before the time begins
    began, worked = time.perf_counter(), time.process_time()
    trainer = experiment.build_trainer(progress=False, callbacks=[Budget(budget)])
    trainer.fit(model, data)
    used = time.process_time() - worked, time.perf_counter() - began
    judge = Trainer(progress=False)
    return {
        "system": id,
        "seed": seed,
        "data": data.label,
        "budget": budget,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": round(trainer.epochs_passed * len(data.windows[0]) * data.num_steps),
        "val_ppl": {
            n: judge.validate(model, type(data)(num_steps=n, batch_size=64))["val_ppl"]
            for n in WINDOWS
        },
        "cpu_seconds": round(used[0], 1),
        "seconds": round(used[1], 1),
        "machine": machine(),
        "date": str(date.today()),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """The results as Markdown, a row for each run."""
    columns = " | ".join(f"windows of {n}" for n in WINDOWS)
    head = f"| system | parameters | characters read | seed | {columns} | seconds |\n"
    rows = [
        f"| {r['system']} --preset {PRESETS[r['system']]} | {r['parameters']:,} "
        f"| {r['tokens']:,} | {r['seed']} | "
        f"{' | '.join(f'{ppl:.2f}' for ppl in r['val_ppl'].values())} | {r['cpu_seconds']:.0f} |\n"
        for r in sorted(runs, key=lambda r: (r["seed"], r["system"]))
    ]
    told = {f"{r['data']}, {r['machine']}, {r['date']}" for r in runs}
    return f"{head}{'|---' * (len(WINDOWS) + 5)}|\n{''.join(rows)}\n{'; '.join(sorted(told))}.\n"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budget", type=float, default=400, help="seconds of the processor")
    parser.add_argument("--data", default="auto", help="tales for the stand-in")
    asked = parser.parse_args()
    for seed in asked.seeds:
        for id in asked.systems:
            run = measure(id, seed, asked.budget, asked.data)
            print(json.dumps(run, ensure_ascii=False), flush=True)
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else []
            kept = [r for r in kept if (r["system"], r["seed"]) != (id, seed)]
            write_json(KEPT, [*kept, run])
    fill(DOCS / "transformer.md", "gpt", table(json.loads(KEPT.read_text())))


if __name__ == "__main__":
    main()
