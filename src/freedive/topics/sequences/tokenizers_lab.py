"""An experiment on what a token is: characters, words, or pieces of words (section 9.2.2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds
from freedive.core.report import Report
from freedive.data.bpe import BPETokenizer
from freedive.data.text import TRAINING_SHARE, TextData
from freedive.data.tokenizers import CharTokenizer, Tokenizer, WordTokenizer
from freedive.topics.calculus.figures import ACCENT, INK, SECOND
from freedive.topics.sequences.texts import TextName, open_text, origin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SENTENCE = "the time traveller for so it will be convenient to speak of him"
SIZES = (50, 100, 200, 500, 1000, 2000, 5000)  # of the vocabularies that are compared
LISTED = 20  # merges in the table
PALE = ("#d6e0ea", "#cfeae6")
Row = dict[str, Any]


@lab("tokenizers", section="9.2.2")
def tokenizers(
    text: TextName = "auto",
    sentence: str = SENTENCE,
    vocab_size: Annotated[int, Bounds(2, 50_000, whole=True)] = 500,
) -> Report:
    """One text as characters, as words and as pieces of words: how many tokens, how many kinds.

    Args:
        text: to learn the tokens from: the Time Machine, tales, or auto.
        sentence: is cut by each.
        vocab_size: the most tokens of the byte-pair encoding that cuts it.
    """
    data = open_text(text)
    sentence = data.codec.clean(sentence)
    if not 1 <= len(sentence.strip()) <= 100:
        raise UsageError(f"sentence wants 1 to 100 letters and spaces, got {len(sentence)}")
    learnt, rest = nine_tenths(data)
    cutters: dict[str, Tokenizer] = {
        "characters": CharTokenizer.trained(learnt, 100_000),
        "pieces": BPETokenizer.trained(learnt, vocab_size),
        "words": WordTokenizer.trained(learnt, 100_000),
    }
    pieces = {size: BPETokenizer.trained(learnt, size) for size in SIZES}
    by_size = [tokenizer_row(f"pieces, {size}", pieces[size], learnt, rest) for size in SIZES]
    ends = [tokenizer_row(name, cutters[name], learnt, rest) for name in ("characters", "words")]
    cuts = {name: cutter.cut(sentence) for name, cutter in cutters.items()}
    return Report(
        numbers={f"{name} in the sentence": len(cut) for name, cut in cuts.items()},
        tables={
            "one text in tokens": [ends[0], *by_size, ends[1]],
            "the sentence": [{"as": name, "tokens": shown(cut)} for name, cut in cuts.items()],
            "the first pairs that are joined": merge_rows(pieces[SIZES[-1]]),
        },
        figures={"tokens": tokens_figure(cuts, by_size, ends)},
        notes=[
            origin(data),
            "Fewer kinds of tokens make longer sequences. Characters are never unknown; of words, "
            "the rest of the text has some that were not met before.",
            "Byte-pair encoding lies between: with room for more tokens it joins more, and "
            "spells what it does not know. A · stands for a space.",
        ],
    )


def nine_tenths(data: TextData) -> tuple[str, str]:
    """What the tokens are learnt from, and the rest."""
    cut = int(TRAINING_SHARE * len(data.text))
    return data.text[:cut], data.text[cut:]


def tokenizer_row(name: str, cutter: Tokenizer, learnt: str, rest: str) -> Row:
    """How a tokenizer does on the text that it was made for, and on what follows."""
    found = cutter.encode(rest)
    return {
        "tokens": name,
        "kinds": len(cutter.vocab),
        "length of the text": len(cutter.encode(learnt)),
        "characters per token": len(rest) / len(found),
        "unknown in the rest": sum(i == cutter.vocab.unk for i in found) / len(found),
    }


def merge_rows(tokenizer: BPETokenizer) -> list[Row]:
    """The first merges."""
    return [
        {
            "step": step,
            "left": visible(left),
            "right": visible(right),
            "joined": visible(left + right),
        }
        for step, (left, right) in enumerate(tokenizer.merges[:LISTED], start=1)
    ]


def visible(token: str) -> str:
    """A token with its spaces as dots."""
    return token.replace(" ", "·")


def shown(tokens: Sequence[str]) -> str:
    """Tokens in a line."""
    return "|".join(map(visible, tokens))


def tokens_figure(cuts: dict[str, list[str]], by_size: list[Row], ends: list[Row]) -> "Figure":
    """The sentence in three cuts, and how the length of a text falls with the kinds of tokens."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(11, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 2.2))
    draw_cuts(top, cuts)
    kinds, lengths = "kinds", "length of the text"
    bottom.plot([r[kinds] for r in by_size], [r[lengths] for r in by_size], "-o", color=INK,
                label="pieces of words")  # fmt: skip
    for row, colour, style in zip(ends, (SECOND, ACCENT), ("s", "D"), strict=True):
        bottom.plot(row[kinds], row[lengths], style, color=colour, ms=8, label=row["tokens"])
    bottom.set(xscale="log", xlabel="kinds of tokens", ylabel="tokens in the text", ylim=(0, None))
    bottom.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bottom.xaxis.set_major_formatter(ScalarFormatter())
    bottom.xaxis.set_minor_formatter(NullFormatter())
    bottom.grid(alpha=0.3)
    bottom.legend()
    return figure


def draw_cuts(axes: "Axes", cuts: dict[str, list[str]]) -> None:
    """A sentence three times, each token in a box."""
    for row, tokens in enumerate(cuts.values()):
        start = 0
        for number, token in enumerate(tokens):
            # words leave their spaces out
            start += cuts["characters"][start] == " " and not token.startswith(" ")
            axes.barh(row, len(token), 0.7, start, color=PALE[number % 2], edgecolor="#8a8a8a")
            for i, letter in enumerate(token):
                axes.text(
                    start + i + 0.5, row, visible(letter), ha="center", va="center", fontsize=9
                )
            start += len(token)
    axes.set_yticks(range(len(cuts)), [f"{len(t)} {name}" for name, t in cuts.items()])
    axes.set(xticks=[], xlim=(-0.5, len(cuts["characters"]) + 0.5), ylim=(len(cuts) - 0.4, -0.6))
    axes.spines[:].set_visible(False)
