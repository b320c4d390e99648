"""An experiment with heads, with the order of words, and with costs (sections 11.5 and 11.6)."""

import math
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import generator, preserved_random_state
from freedive.core.report import Report
from freedive.topics.attention import heads_figures as figures
from freedive.topics.attention.costs import costs, layers_to_span
from freedive.topics.attention.positions import SinusoidalPositions
from freedive.topics.attention.scratch import MultiHeadAttention

Row = dict[str, Any]
Places = Literal["none", "sinusoidal", "rotary"]
KINDS: tuple[Places, ...] = ("none", "sinusoidal", "rotary")
SENTENCE = "the dog saw the cat and the cat ran"
MOST_WORDS = 16
LENGTHS = [8, 32, 128, 512]  # n of the costs
NOTES = [
    "Each head has maps of its own, and so its own idea of what belongs together: weights differ "
    "from head to head for the same words. These are random; a trained model's are not.",
    "Without positions a word is asked, and asks, the same wherever it stands: equal words have "
    "equal rows and columns, and words in another order give the same outputs in that order.",
    "With positions, the outputs depend on where the words stand.",
    "The scores and means of attention cost 2n²d multiplications, its four maps 4nd²: up to "
    "n = 2d the maps cost more. All n tokens are one layer apart, and none waits for another.",
]


@lab("multi-head-attention", section="11.5")
def multi_head_attention(
    sentence: str = SENTENCE,
    num_heads: Annotated[int, Bounds(1, 8, whole=True)] = 4,
    head_size: Annotated[int, Bounds(1, 64, whole=True)] = 8,
    positions: Places = "none",
    causal: bool = False,
    sharpness: Annotated[float, Bounds(0, 10)] = 1.5,
    width: Annotated[int, Bounds(1, 256, whole=True)] = 64,
    kernel: Annotated[int, Bounds(3, 15, whole=True)] = 3,
    seed: Whole = 0,
) -> Report:
    """What each head looks at, what happens to words in another order, and what a layer costs.

    Args:
        sentence: 2 to 16 words; each word has a vector at random.
        num_heads: heads, each with maps at random.
        head_size: numbers of each head; the width is num_heads times as much.
        positions: how the words of the heatmaps know where they stand.
        causal: each word sees only itself and those before it.
        sharpness: size of the maps of queries and keys; 0 makes all weights equal.
        width: d, numbers of each token, of the costs.
        kernel: tokens that the convolution's kernel covers, of the costs; an odd number.
        seed: of words, maps and the other order.
    """
    words = check(sentence, kernel)
    X = vectors(words, num_heads * head_size, seed)
    layers = {kind: layer(num_heads, head_size, kind, sharpness, seed) for kind in KINDS}
    weights = weights_of(layers[positions], placed(X, positions), causal)
    order = torch.randperm(len(words), generator=generator(seed, 3))
    gaps: dict[str, Tensor] = {kind: change(layers[kind], X, kind, order) for kind in KINDS}
    counted, ways = cost_rows(width, kernel), path_rows(kernel)
    return Report(
        numbers={
            **{f"changed by another order, {kind}": float(gap.max()) for kind, gap in gaps.items()},
            "heads apart, mean difference of weights": apart(weights),
            "parameters": sum(p.numel() for p in layers["none"].parameters()),
            "attention costs more than its maps above n": 2 * width,
        },
        tables={
            "heads": head_rows(weights, words),
            f"multiplications of a layer, d = {width}, k = {kernel}": counted,
            "from the first token to the last": ways,
        },
        figures={
            "heads": figures.heads_figure(weights, words),
            "order": figures.order_figure(gaps, words),
            "costs": cost_figure(counted, ways, width),
        },
        notes=list(NOTES),
    )


def check(sentence: str, kernel: int) -> list[str]:
    """The words of a sentence; raises `UsageError` for too few or many, or an even kernel."""
    words = sentence.split()
    if not 2 <= len(words) <= MOST_WORDS:
        raise UsageError(f"sentence wants 2 to {MOST_WORDS} words, got {len(words)}: {sentence!r}")
    if kernel % 2 == 0:
        raise UsageError(
            f"kernel wants an odd number, which is centred on a token, got {kernel}: pass "
            f"{kernel + 1}"
        )
    return words


def vectors(words: list[str], size: int, seed: int) -> Tensor:
    """A standard normal vector for each word, the same one wherever it stands."""
    names = sorted(set(words))
    table = torch.randn(len(names), size, generator=generator(seed), dtype=torch.float64)
    return table[[names.index(word) for word in words]][None]


@torch.no_grad()
def layer(
    num_heads: int, head_size: int, positions: Places, sharpness: float, seed: int
) -> MultiHeadAttention:
    """An attention with maps at random, the same ones whatever its positions."""
    size = num_heads * head_size
    max_len = MOST_WORDS if positions == "rotary" else None
    with preserved_random_state():  # the weights that it begins with are not the ones it gets
        attention = MultiHeadAttention(size, num_heads, max_len=max_len).double().eval()
    for number, (name, weight) in enumerate(attention.named_parameters()):
        weight.normal_(0, 1 / math.sqrt(size), generator=generator(seed, 1, number))
        if name.startswith(("W_q", "W_k")):
            weight.mul_(sharpness)
    return attention


def placed(X: Tensor, positions: Places) -> Tensor:
    """The words with their positions added, where these are added."""
    if positions != "sinusoidal":
        return X
    return SinusoidalPositions(X.shape[-1], MOST_WORDS).double()(X)


@torch.no_grad()
def weights_of(attention: MultiHeadAttention, X: Tensor, causal: bool = False) -> Tensor:
    """The weights of each head."""
    caught: list[Tensor] = []
    handle = attention.attention.weights.register_forward_hook(
        lambda module, given, weights: caught.append(weights[0])
    )
    attention(X, X, X, causal=causal)
    handle.remove()
    return caught[0]


@torch.no_grad()
def change(attention: MultiHeadAttention, X: Tensor, positions: Places, order: Tensor) -> Tensor:
    """How much each word's output changes with the order of all, at most in a number."""
    straight, mixed = (placed(rows, positions) for rows in (X, X[:, order]))
    before, after = (attention(rows, rows, rows)[0] for rows in (straight, mixed))
    gap = torch.empty(len(order), dtype=X.dtype)
    gap[order] = (after - before[order]).abs().amax(dim=-1)
    return gap


def apart(weights: Tensor) -> float:
    """The mean difference of two heads' weights for a query, half of Σ|α − β|; 0 for one head."""
    heads = len(weights)
    if heads == 1:
        return 0.0
    gaps = (weights[:, None] - weights).abs().sum(dim=-1).mean(dim=-1) / 2
    return float(gaps.sum() / (heads * (heads - 1)))


def head_rows(weights: Tensor, words: list[str]) -> list[Row]:
    """For each head, how many keys count to a query, and the pair with the largest weight."""
    rows = []
    for number, head in enumerate(weights):
        query, key = divmod(int(head.argmax()), len(words))
        rows.append(
            {
                "head": number + 1,
                "keys that count, mean": float((1 / head.square().sum(dim=-1)).mean()),
                "largest weight": float(head.max()),
                "between": f"{words[query]} ({query + 1}) → {words[key]} ({key + 1})",
            }
        )
    return rows


def cost_rows(width: int, kernel: int) -> list[Row]:
    """Multiplications of a layer of each kind, counted as it runs."""
    rows = []
    for n in LENGTHS:
        found = costs(n, width, kernel)
        maps = found["self-attention"] - found["attention"]
        products = (found["attention"], maps, found["convolution"], found["recurrence"])
        rows.append({"n": n, **dict(zip(figures.LOOKS, products, strict=True))})
    return rows


def path_rows(kernel: int) -> list[Row]:
    """How many layers or steps lie between the ends, and how many steps wait for each other."""
    return [
        {
            "n": n,
            "self-attention, layers": 1,
            f"convolution of {kernel}, layers": layers_to_span(n, kernel),
            "recurrence, steps": n - 1,
            "recurrence, waits for": n,
        }
        for n in LENGTHS
    ]


def cost_figure(counted: list[Row], ways: list[Row], width: int) -> Any:
    """Both tables as curves."""
    columns = {name: [row[name] for row in counted] for name in figures.LOOKS}
    kinds = [name for name in ways[0] if name not in ("n", "recurrence, waits for")]
    paths = {name: [row[name] for row in ways] for name in kinds}
    return figures.costs_figure(LENGTHS, columns, paths, 2 * width)
