"""An experiment on translation data: from a raw line to the arrays of a batch (section 10.5)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.report import Report, Table
from freedive.data.fra_eng import Phrasebook
from freedive.data.translation import BOS, EOS, PAD, Pair
from freedive.data.vocab import UNKNOWN, Vocab
from freedive.topics.calculus.figures import ACCENT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = {PAD: "#eceff1", EOS: "#f6d5da", BOS: "#cfeae6", UNKNOWN: "#f7e6b5"}


@lab("translation-data", section="10.5")
def translation_data(
    sentences: Annotated[int, Bounds(1, 12, whole=True)] = 5,
    num_steps: Annotated[int, Bounds(3, 20, whole=True)] = 9,
    min_freq: Annotated[int, Bounds(0, 1000, whole=True)] = 2,
    num_pairs: Annotated[int, Bounds(500, 50_000, whole=True)] = 2_000,
    seed: Whole = 0,
) -> Report:
    """From a raw line of two sentences to what a translator is trained on.

    Args:
        sentences: validation pairs that are drawn as arrays.
        num_steps: tokens of a row, <eos> included; longer pairs are left out.
        min_freq: how often a word must occur in the training pairs to be known.
        num_pairs: pairs that are made.
        seed: of the making.
    """
    data = Phrasebook(
        num_steps=num_steps, min_freq=min_freq, num_pairs=num_pairs, data_seed=seed, num_val=100
    )
    train, val = data.pairs
    return Report(
        numbers=numbers(data),
        tables={
            "one pair, step by step": one_pair(data, val[0]),
            "special tokens": specials(data),
        },
        figures={
            "arrays": arrays_figure(data, val[:sentences]),
            "lengths": lengths_figure(train, num_steps),
        },
        notes=[
            "The pairs are synthetic, made by one grammar of both languages.",
            "The decoder's input is the label one step late: at each place it is given the true "
            "word before, and the label is the word to tell.",
            "Special tokens are reserved, so that none can become <unk> however small the corpus; "
            "both vocabularies are learnt from the training pairs alone.",
        ],
    )


def numbers(data: Phrasebook) -> dict[str, Any]:
    """How much there is, and how much of it is padding or not known."""
    (train, val), pad = (columns[3] for columns in data.columns), data.tgt_vocab[PAD]
    return {
        "training pairs": len(train),
        "validation pairs": len(val),
        "source tokens that are known": len(data.src_vocab),
        "target tokens that are known": len(data.tgt_vocab),
        "padding in the training labels": float((train == pad).double().mean()),
        "<unk> in the validation labels": float(
            (val[val != pad] == data.tgt_vocab.unk).double().mean()
        ),
    }


def one_pair(data: Phrasebook, pair: Pair) -> Table:
    """What becomes of a line: one row for each step."""
    source, decoder_input, lengths, label = (column[0] for column in data.arrays([pair]))
    clean = data.codecs[0].clean
    raw = next(r for r in data.read() if tuple(" ".join(clean(side).split()) for side in r) == pair)
    tokens = [[*side.split(), EOS] for side in pair]
    numbers = [v[t] for v, t in zip((data.src_vocab, data.tgt_vocab), tokens, strict=True)]
    steps: dict[str, Sequence[Any]] = {
        "raw": raw,
        "clean": pair,
        "tokens": [" | ".join(words) for words in tokens],
        "numbers": [listed(side) for side in numbers],
        "row": [listed(source.tolist()), listed(label.tolist())],
        "decoder input": ["", listed(decoder_input.tolist())],
        "length": [int(lengths), len(numbers[1])],
    }
    return [{"step": step, "source": s, "target": t} for step, (s, t) in steps.items()]


def listed(numbers: Sequence[int]) -> str:
    """Numbers with spaces between them."""
    return " ".join(map(str, numbers))


def specials(data: Phrasebook) -> Table:
    """The numbers of the tokens that are no words; the order is that of their characters."""
    source, target = (vocab.token_to_idx for vocab in (data.src_vocab, data.tgt_vocab))
    return [
        {"token": token, "source": source.get(token), "target": target[token]}
        for token in (BOS, EOS, PAD, UNKNOWN)
    ]


def arrays_figure(data: Phrasebook, pairs: Sequence[Pair]) -> "Figure":
    """The arrays of some pairs, the tokens written into their cells."""
    from matplotlib.figure import Figure

    source, decoder_input, lengths, label = data.arrays(pairs)
    rows, columns = source.shape
    size = (1.2 + 0.95 * columns, 0.5 + 0.34 * 3 * (rows + 1))
    figure = Figure(figsize=size, layout="constrained")
    first, second, third = figure.subplots(3, 1)
    draw_tokens(first, source, data.src_vocab, "source")
    draw_tokens(second, decoder_input, data.tgt_vocab, "decoder input")
    draw_tokens(third, label, data.tgt_vocab, "label")
    names = [f"length {length}" for length in lengths.tolist()]
    first.set_yticks([i + 0.5 for i in range(rows)], names, fontsize=8)
    return figure


def draw_tokens(axes: "Axes", array: Tensor, vocab: Vocab, title: str) -> None:
    """A matrix of tokens with their words; special tokens are tinted."""
    from matplotlib.patches import Rectangle

    rows, columns = array.shape
    for i, row in enumerate(array.tolist()):
        for j, number in enumerate(row):
            word = vocab.idx_to_token[number]
            face = SHADES.get(word, "white")
            axes.add_patch(Rectangle((j, i), 1, 1, fc=face, ec="#b5b5b5", lw=0.8))
            shade = "#8a8a8a" if word == PAD else "black"
            axes.text(j + 0.5, i + 0.52, word, ha="center", va="center", fontsize=8, color=shade)
    axes.set(xlim=(-0.02, columns + 0.02), ylim=(rows + 0.05, -0.05), xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[:].set_visible(False)


def lengths_figure(pairs: Sequence[Pair], num_steps: int) -> "Figure":
    """How many sentences have how many tokens: what lies right of the bars is padding."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    counts = [[len(side.split()) + 1 for side in column] for column in zip(*pairs, strict=True)]
    bins = [n + 0.5 for n in range(num_steps + 1)]
    axes.hist(counts, bins=bins, color=[INK, ACCENT], label=["source", "target"])
    axes.set(xlabel="tokens, <eos> included", ylabel="training sentences")
    axes.set_xticks(range(1, num_steps + 1))
    axes.grid(alpha=0.3, axis="y")
    axes.legend()
    return figure
