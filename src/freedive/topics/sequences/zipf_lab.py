"""An experiment on how often words, and words in a row, occur in a text (section 9.2.5)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import torch

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds
from freedive.core.report import Report
from freedive.data.vocab import Vocab
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences.counts import NGramCounts
from freedive.topics.sequences.statistics import frequencies, most_frequent, zipf_fit
from freedive.topics.sequences.texts import TextName, counted_words, open_text, origin

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

NAMES = ("words", "bigrams", "trigrams")
Rank = Annotated[int, Bounds(1, 100_000, whole=True)]
Top = Annotated[int, Bounds(2, 100, whole=True)]


@lab("zipf", section="9.2.5")
def zipf(text: TextName = "auto", first: Rank = 10, last: Rank = 1000, top: Top = 10) -> Report:
    """How often the i-th most frequent word, bigram and trigram occurs: Zipf's law.

    Args:
        text: the Time Machine, tales, or auto.
        first: the rank from which on the law is fitted.
        last: the rank up to which it is.
        top: how many of the most frequent are listed.
    """
    if first >= last:
        raise UsageError(f"first wants a rank below last, got {first} and {last}")
    data = open_text(text, "word")
    counts, vocab = counted_words(data)
    ranked = {name: frequencies(counts, k) for k, name in enumerate(NAMES, start=1)}
    ends = {name: min(last, len(found)) for name, found in ranked.items()}
    slopes = {
        f"slope of {name}, ranks {first}–{ends[name]}": zipf_fit(found, first, ends[name])[0]
        for name, found in ranked.items()
    }
    return Report(
        numbers={
            "characters": len(data.text),
            "words": int(counts.counts[0].sum()),
            "different words": len(ranked["words"]),
            "of these, met once": int((ranked["words"] == 1).sum()),
            f"slope of the {top} most frequent words": zipf_fit(ranked["words"], 1, top)[0],
            **slopes,
        },
        tables={
            "slopes by ranks": [slope_row(name, found) for name, found in ranked.items()],
            f"the {top} most frequent": top_rows(counts, vocab, top),
        },
        figures={"zipf": zipf_figure(ranked, first, ends, data.label)},
        notes=[
            origin(data),
            "Zipf's law n ∝ 1/i^α is a straight line of slope −α here; the most frequent words lie "
            "below it, so their slope alone is too flat.",
            "Words in a row repeat less often than words: their lines are lower and flatter, and "
            f"{share_once(ranked['trigrams']):.0%} of the trigrams are met only once.",
        ],
    )


def top_rows(counts: NGramCounts, vocab: Vocab, top: int) -> list[dict[str, Any]]:
    """The most frequent words, bigrams and trigrams beside each other."""
    columns = [most_frequent(counts, k, vocab, top) for k in (1, 2, 3)]
    return [
        {
            "rank": rank,
            **{name: f"{run} {count}" for name, (run, count) in zip(NAMES, row, strict=True)},
        }
        for rank, row in enumerate(zip(*columns, strict=False), start=1)
    ]


def share_once(found: "Tensor") -> float:
    """The share of runs that are met only once."""
    return float((found == 1).double().mean())


def slope_row(name: str, found: "Tensor") -> dict[str, Any]:
    """The slope in several parts of a curve."""
    row: dict[str, Any] = {"of": name, "different": len(found), "met once": share_once(found)}
    for first, last in ((1, 10), (10, 100), (100, 1000), (1, len(found))):
        stop = min(last, len(found))
        slope = zipf_fit(found, first, stop)[0] if stop > first else None
        row[f"ranks {first}–{last}" if last <= 1000 else "all ranks"] = slope
    return row


def zipf_figure(
    ranked: "Mapping[str, Tensor]", first: int, ends: Mapping[str, int], label: str
) -> "Figure":
    """Frequency over rank for words, bigrams and trigrams, with the fitted lines."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for (name, found), colour, z in zip(
        ranked.items(), (INK, SECOND, ACCENT), (3, 2, 1), strict=True
    ):
        ranks = torch.arange(1, len(found) + 1)
        alpha, _ = zipf_fit(found, first, ends[name])
        axes.loglog(ranks, found, ".", color=colour, ms=4, alpha=0.5, rasterized=True, zorder=z)
        inside = slice(first - 1, ends[name])
        height = (found[inside].double().log() + alpha * ranks[inside].double().log()).mean().exp()
        line = height * ranks.double() ** -alpha
        axes.loglog(ranks[line > 0.7], line[line > 0.7], color=colour, lw=1.5, zorder=4,
                    label=f"{name}: α = {alpha:.2f}")  # fmt: skip
    axes.axvspan(first, max(ends.values()), color="#8a8a8a", alpha=0.12, lw=0, label="fitted here")
    axes.set(xlabel="rank i", ylabel="frequency n", title=label)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
