"""An experiment on counting as a language model (sections 9.3.1 and 9.3.2)."""

from typing import TYPE_CHECKING, Annotated, Any

from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator
from freedive.core.report import Report
from freedive.data.codec import Codec
from freedive.data.text import TRAINING_SHARE
from freedive.data.tokenizers import Kind
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences.counts import NGramCounts
from freedive.topics.sequences.ngram import NGram
from freedive.topics.sequences.smoothing import Smoothing
from freedive.topics.sequences.texts import TextName, open_text, origin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
# words that are met once stand for those that never were
MIN_FREQ: dict[Kind, int] = {"char": 0, "word": 2, "bpe": 0}
VOCAB_SIZE = 5000
OWN = "unsmoothed, on what was counted"
DISCOUNTS = ("discounted", "back-off")
LOOKS: dict[Smoothing, tuple[str, str]] = {
    "laplace": ("-o", "#e9a03b"),
    "interpolated": ("-s", SECOND),
    "discounted": ("-D", INK),
    "back-off": ("--^", "#7b5ea7"),
}
NOTES = (
    "Without smoothing, longer runs fit the counted text ever better, and give the perplexity ∞ to "
    "any text with a run that was never seen.",
    "Of the possible runs almost none are seen: a longer context helps only where shorter ones "
    "step in for it.",
    "<unk> stands for tokens that were not counted.",
)


@lab("ngram", section="9.3.1")
def ngram(
    text: TextName = "auto",
    tokenizer: Kind = "char",
    max_n: Annotated[int, Bounds(1, 8, whole=True)] = 6,
    epsilon: Annotated[float, Bounds(0, 1000)] = 1.0,
    discount: Annotated[float, Bounds(0, 1)] = 0.75,
    num_sampled: Annotated[int, Bounds(1, 500, whole=True)] = 60,
    seed: Whole = 0,
) -> Report:
    """Models that count: what each order and each smoothing makes of text that was held out.

    Args:
        text: the Time Machine, tales, or auto.
        tokenizer: what is counted: char, word or bpe.
        max_n: the longest runs of tokens that are counted.
        epsilon: ε of the laplace and interpolated rules.
        discount: d of the discounted and back-off rules.
        num_sampled: tokens to tell from each order.
        seed: of what is told.
    """
    data = open_text(text, tokenizer, VOCAB_SIZE, MIN_FREQ[tokenizer])
    cut = int(TRAINING_SHARE * len(data.corpus))
    counts = NGramCounts(data.corpus[:cut], len(data.vocab), max_n)
    held_out = data.corpus[cut:]
    strengths = {rule: discount if rule in DISCOUNTS else epsilon for rule in LOOKS}
    orders = range(1, max_n + 1)
    rows = [order_row(counts, n, strengths, held_out) for n in orders]
    lowest, n, rule = min((row[rule], row["n"], rule) for row in rows for rule in LOOKS)
    return Report(
        numbers={
            "tokens to count": cut,
            "tokens held out": len(held_out),
            "vocabulary": len(data.vocab),
            "lowest held-out perplexity": lowest,
            "reached by": f"{rule}, n = {n}",
        },
        tables={
            "what was seen": [seen_row(counts, n, held_out) for n in orders],
            "perplexity": rows,
            "told by each order": told_rows(counts, discount, num_sampled, data.codec, seed),
        },
        figures={"perplexity": perplexity_figure(rows, data.label, tokenizer)},
        notes=[origin(data), *NOTES],
    )


def order_row(
    counts: NGramCounts, n: int, strengths: dict[Smoothing, float], held_out: Tensor
) -> Row:
    """The perplexities of one order, on the held-out tokens that every order can judge."""
    judged = held_out[counts.n - n :]
    row: Row = {"n": n, OWN: own_perplexity(counts, n)}
    for rule, strength in strengths.items():
        row[rule] = NGram(counts, n, rule, strength).perplexity(judged)
    return row


def own_perplexity(counts: NGramCounts, n: int) -> float:
    """That of unsmoothed counts on the counted text itself, each run as often as it occurs."""
    probability = NGram(counts, n, "none").probability(counts.runs(n))
    times = counts.counts[n - 1].double()
    return float((-(times @ probability.log()) / times.sum()).exp())


def seen_row(counts: NGramCounts, n: int, held_out: Tensor) -> Row:
    """How many runs there could be, how many there are, and how many come that never were."""
    _, found = counts.find(held_out.unfold(0, n, 1))
    return {
        "n": n,
        "possible runs": counts.vocab_size**n,
        "seen": counts.num_runs(n),
        "held out and never seen": float((found < 0).double().mean()),
    }


def told_rows(
    counts: NGramCounts, discount: float, num_tokens: int, codec: Codec, seed: int
) -> list[Row]:
    """A text from each order, discounted."""
    models = [NGram(counts, n, "discounted", discount) for n in range(1, counts.n + 1)]
    texts = [model.sample(num_tokens, generator(seed, model.n)) for model in models]
    return [{"n": n, "text": codec.decode(text.tolist())} for n, text in enumerate(texts, start=1)]


def perplexity_figure(rows: list[Row], label: str, unit: str) -> "Figure":
    """Perplexity by order: held out for each rule, and of unsmoothed counts on their own text."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    orders = [row["n"] for row in rows]
    for rule, (style, colour) in LOOKS.items():
        axes.plot(orders, [row[rule] for row in rows], style, color=colour, ms=5, label=rule)
    axes.plot(orders, [row[OWN] for row in rows], ":x", color=ACCENT, label=OWN)
    axes.set(xlabel="n, tokens in a run", ylabel="perplexity", yscale="log", xticks=orders)
    axes.set_title(f"{label}, {unit}: nine tenths counted, the last tenth held out", fontsize=11)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
