"""BLEU of the recurrent translator: ``python -m benchmarks.translation``.

``seq2seq`` is trained by a preset on fra-eng, or on the phrasebook where that is not there, once
for each seed, and judged by the corpus BLEU of 1,000 held-out pairs of at most eight words and
marks, greedy and with four beams. What was measured is kept in benchmarks/translation.json, preset
by preset, and the table in docs/sequences.md is written from there.
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
from freedive.data.translation import Pairs, TranslationData
from freedive.experiment import Experiment, choose_data, data_class
from freedive.topics.seq2seq.bleu import bleu, corpus_bleu
from freedive.topics.seq2seq.encoder_decoder import EncoderDecoder
from freedive.topics.seq2seq.translating import translate_sentences

KEPT = Path(__file__).with_suffix(".json")
HELD_OUT, SHORT = 1_000, 8  # pairs, and words and marks of each
BOOK = [  # section 10.7.8
    ("go .", "va !"),
    ("i lost .", "j'ai perdu ."),
    ("he's calm .", "il est calme ."),
    ("i'm home .", "je suis chez moi ."),
]


def held_out(data: TranslationData) -> Pairs:
    """Short pairs at random of which no source sentence was trained on; fewer where there are."""
    known = {source for source, _ in data.pairs[0]}
    more = {"num_steps": SHORT + 1, "num_train": None, "num_val": HELD_OUT, "split": "random"}
    kind: Any = data_class(data.name)
    found: dict[str, str] = {}
    for part in reversed(kind(**more).pairs):  # the validation pairs, then what is left
        for source, target in part:
            if source not in known and len(found) < HELD_OUT:
                found.setdefault(source, target)
    return list(found.items())


def measure(preset: str, seed: int, corpus: str) -> dict[str, Any]:
    """Train once; what the model makes of the held-out pairs, and what it took."""
    system = find_system("seq2seq")
    name, _ = choose_data(system, corpus)
    experiment = Experiment.of(system, data=name, preset=preset, seed=seed)
    data: Any = experiment.build_data()
    model: Any = experiment.build_model(data)
    began, worked = time.perf_counter(), time.process_time()
    history = experiment.build_trainer(progress=False).fit(model, data)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    if history.status != "finished":  # half a run is no measurement
        raise SystemExit(f"{history.status} after {len(history)} epochs")
    return {
        "data": data.label,
        "seed": seed,
        "pairs": len(data.pairs[0]),
        "epochs": len(history),
        "val_ppl": history.last["val_ppl"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(processor, 1),
        **judged(model, data),
        "machine": machine(),
        "date": str(date.today()),
    }


def judged(model: EncoderDecoder, data: TranslationData) -> dict[str, Any]:
    """Corpus BLEU on short held-out pairs, and the book's four sentences."""
    pairs = held_out(data)
    sources, references = zip(*pairs, strict=True)
    scores = {}
    for way, beam in (("greedy", 1), ("beam 4", 4)):
        began = time.perf_counter()
        found = translate_sentences(model, *data.codecs, sources, beam)
        scores[way] = corpus_bleu(found, references)
        scores[f"{way} seconds"] = round(time.perf_counter() - began, 1)
    book = translate_sentences(model, *data.codecs, [source for source, _ in BOOK])
    told = [
        f"{source} => {made} ({bleu(made, target, 2):.3f})"
        for (source, target), made in zip(BOOK, book, strict=True)
    ]
    return {"held_out": len(pairs), **scores, "book": told}


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The results as Markdown, a row for each run."""
    head = "| preset | data | seed | pairs | epochs | greedy | 4 beams | seconds | of the CPU |\n"
    rows = [
        f"| {preset.split()[0]} | {r['data']} | {r['seed']} | {r['pairs']:,} | {r['epochs']} "
        f"| {r['greedy']:.3f} | {r['beam 4']:.3f} | {r['seconds']:.0f} "
        f"| {r['cpu_seconds']:.0f} |\n"
        for preset, runs in results.items()
        for r in runs
    ]
    told = {f"{r['machine']}, {r['date']}" for runs in results.values() for r in runs}
    rule = "|---" * 9
    book = [
        f"The book's four sentences, preset {preset.split()[0]}, with the book's BLEU (k = 2): "
        f"{'; '.join(runs[0]['book'])}.\n"
        for preset, runs in results.items()
        if preset.endswith("fra-eng")
    ]
    told_text = "; ".join(sorted(told))
    return f"{head}{rule}|\n{''.join(rows)}\n{told_text}.\n\n{chr(10).join(book)}"


def main() -> None:
    """Measure, keep, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="large")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", default="auto", help="phrasebook for the stand-in")
    asked = parser.parse_args()
    runs = []
    for seed in asked.seeds:
        runs.append(measure(asked.preset, seed, asked.data))
        print(json.dumps(runs[-1], indent=2, ensure_ascii=False), flush=True)
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}  # others may run beside this
        kept[f"{asked.preset} on {runs[0]['data'].split()[0]}"] = runs
        write_json(KEPT, kept)
    fill(DOCS / "sequences.md", "translation", table(kept))


if __name__ == "__main__":
    main()
