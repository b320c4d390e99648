"""An experiment on searches: what greedy search misses, and what it costs to find it (10.8)."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report, Table
from freedive.topics.calculus.figures import ACCENT, INK
from freedive.topics.seq2seq.decoding import (
    Found,
    Trace,
    beam_search,
    exhaustive_search,
    greedy_search,
)
from freedive.topics.seq2seq.search_tree import Tree, branches, trees_figure
from freedive.topics.seq2seq.tables import BOOK_GIVEN, BOOK_WORDS, Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEAMS = (1, 2, 3, 4, 6, 8, 12, 16)
MANY, LONG = 10_000, 10  # words and steps of the book's count of costs
KEY = (
    "pale: looked at and dropped · dark: kept · red: the sequence found, each with its probability"
)


@lab("decoding", section="10.8")
def decoding(
    language: Literal["book", "random"] = "book",
    words: Annotated[int, Bounds(1, 4, whole=True)] = 3,
    steps: Annotated[int, Bounds(1, 5, whole=True)] = 4,
    beam: Annotated[int, Bounds(1, 16, whole=True)] = 2,
    alpha: Annotated[float, Bounds(0, 2)] = 0.75,
    sharpness: Annotated[float, Bounds(0, 5)] = 1.0,
    languages: Annotated[int, Bounds(1, 1000, whole=True)] = 300,
    seed: Whole = 0,
) -> Report:
    """What greedy search misses, what beams find, and what it costs to look at everything.

    Args:
        language: whose trees are drawn: the book's example of three words and four steps, or the
            first of those at random.
        words: of the languages at random, besides <eos>.
        steps: the longest sequences of the languages at random.
        beam: sequences that the drawn beam search keeps.
        alpha: how far a score makes up for length: 0 takes the probability as it is.
        sharpness: how unequal the words' probabilities are at random; 0 makes them equal.
        languages: how many are drawn at random.
        seed: of the drawing.
    """
    drawn = Tables.drawn(languages, words, steps, sharpness, generator(seed))
    shown, max_len = Tables(drawn.probs[:1], drawn.words), steps
    if language == "book":
        shown, max_len = Tables.given(BOOK_GIVEN), len(BOOK_WORDS)
    founds, trees = search_all(shown, max_len, beam, alpha)
    widths = width_table(drawn, steps, alpha)
    return Report(
        numbers={
            f"probability of the sequence, {search}": float(found.log_probs[0, 0].exp())
            for search, found in founds.items()
        },
        tables={
            "three searches": [found_row(shown, name, found) for name, found in founds.items()],
            f"{languages} languages at random": widths,
            f"{MANY:,} words and {LONG} steps": cost_table(beam),
        },
        figures={
            "trees": trees_figure(trees, shown.words, KEY),
            "beams": widths_figure(widths, f"{languages} languages of {words} words"),
        },
        notes=notes(language),
    )


def search_all(
    language: Tables, max_len: int, beam: int, alpha: float
) -> tuple[dict[str, Found], dict[str, Tree]]:
    """What each search finds in one language, and the tree that it looks at."""
    task, vocab, name = language.task(max_len), len(language.words), f"beam {beam}"
    traces: dict[str, Trace] = {"greedy": [], name: [], "exhaustive": []}
    founds = {
        "greedy": greedy_search(task, alpha, traces["greedy"]),
        name: beam_search(task, beam, alpha, traces[name]),
        "exhaustive": exhaustive_search(task, vocab, alpha),
    }
    beam_search(task, vocab**max_len, alpha, traces["exhaustive"])  # keeps everything
    trees = {
        search: Tree(branches(trace), tuple(founds[search].tokens[0, 0].tolist()))
        for search, trace in traces.items()
    }
    return founds, trees


def found_row(language: Tables, name: str, found: Found) -> dict[str, Any]:
    """What a search has found, as a row."""
    return {
        "search": name,
        "sequence": language.text(found.tokens[0, 0]),
        "probability": float(found.log_probs[0, 0].exp()),
        "score": float(found.scores[0, 0]),
        "continuations scored": int(found.scored[0]),
    }


def cost_table(beam: int) -> Table:
    """What each search looks at in a language of the book's size (section 10.8.2)."""
    return [
        {"search": "greedy", "law": "|Y| T′", "continuations": f"{MANY * LONG:.0e}"},
        {"search": f"beam {beam}", "law": "k |Y| T′", "continuations": f"{beam * MANY * LONG:.0e}"},
        {"search": "exhaustive", "law": "|Y|^T′", "continuations": f"{MANY**LONG:.0e}"},
    ]


def width_table(languages: Tables, max_len: int, alpha: float) -> Table:
    """How often beams of each width find the best sequence, and how far they fall short of it."""
    task = languages.task(max_len)
    best = exhaustive_search(task, len(languages.words), alpha)
    rows = []
    for beam in BEAMS:
        found = beam_search(task, beam, alpha)
        lost = best.scores[:, 0] - found.scores[:, 0]
        rows.append(
            {
                "beams": beam,
                "best found": float((lost < 1e-9).double().mean()),
                "score lost": float(lost.mean()),
                "continuations scored": float(found.scored.double().mean()),
                "of all": float((found.scored / best.scored).double().mean()),
            }
        )
    return rows


def widths_figure(rows: Table, title: str) -> "Figure":
    """How often the best sequence is found against the width, and against what is looked at."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    beams = [row["beams"] for row in rows]
    for name, label, colour in (
        ("best found", "finds the best sequence", ACCENT),
        ("of all", "share of all continuations that is scored", INK),
    ):
        axes.plot(beams, [row[name] for row in rows], "o-", color=colour, label=label)
    axes.set(xscale="log", xlabel="beams", ylim=(-0.03, 1.03), title=title)
    axes.set_xticks(beams, [str(beam) for beam in beams])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def notes(language: str) -> list[str]:
    """What to see."""
    told = [
        "Greedy search takes the likeliest word at each step; a less likely one can lead to a "
        "likelier sequence.",
        "At alpha = 0 the shortest sequences win: each further word makes a probability smaller.",
    ]
    if language == "book":
        told.append("What the book's example leaves open is shared evenly among the other words.")
    return told
