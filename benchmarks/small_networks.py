"""The table of small networks in docs/modern_cnn.md: ``python -m benchmarks.small_networks``.

Every system is trained by its preset as ``freedive train SYSTEM --preset small`` does it. What was
measured is kept in benchmarks/small_networks.json, system by system, so that some can be measured
anew (``--systems``); the table in the documentation is written from there.
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS, fill, machine
from freedive.catalog import find_system
from freedive.core.files import write_json
from freedive.experiment import Experiment, choose_data
from freedive.insight.summary import summary

SYSTEMS = ("lenet-bn", "alexnet", "vgg11", "nin", "googlenet", "resnet18", "resnext", "densenet",
           "regnet")  # fmt: skip
KEPT = Path(__file__).with_suffix(".json")


def measure(id: str, preset: str, seed: int) -> dict[str, Any]:
    """Train one system; what it reached, and what it cost."""
    system = find_system(id)
    name, _ = choose_data(system)
    began = time.perf_counter()
    experiment = Experiment.of(system, data=name, preset=preset, seed=seed)
    data = experiment.build_data()
    model = experiment.build_model(data)
    history = experiment.build_trainer(progress=False).fit(model, data)
    seconds = time.perf_counter() - began
    if history.status != "finished":  # half a run is no measurement
        raise SystemExit(f"{id}: {history.status} after {len(history)} epochs")
    size = model.image_size
    found = summary(model.cpu(), (1, model.in_channels, size, size))
    return {
        "preset": preset,
        "data": data.label,
        "seed": seed,
        "epochs": len(history),
        "accuracy": history.last["val_acc"],
        "best": history.best()["val_acc"],
        "parameters": found.parameters,
        "macs": found.macs,
        "seconds": round(seconds, 1),
        "machine": machine(),
        "date": str(date.today()),
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as Markdown, the least accurate first."""
    head = "| system | accuracy | parameters | multiply–adds | epochs | seconds |\n"
    lines = [
        f"| {id} | {r['accuracy']:.4f} | {r['parameters']:,} | {r['macs'] / 1e6:.1f} M "
        f"| {r['epochs']} | {r['seconds']:.0f} |\n"
        for id, r in sorted(results.items(), key=lambda item: item[1]["accuracy"])
    ]
    told = {f"{r['data']}, seed {r['seed']}, {r['machine']}, {r['date']}" for r in results.values()}
    return f"{head}|---|---|---|---|---|---|\n{''.join(lines)}\n{'; '.join(sorted(told))}.\n"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    results = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for id in asked.systems:
        results[id] = measure(id, asked.preset, asked.seed)
        print(id, json.dumps(results[id]), flush=True)
        write_json(KEPT, results)
    fill(DOCS / "modern_cnn.md", "small networks", table(results))


if __name__ == "__main__":
    main()
