"""What T5 fills into gaps, for people to look at, and what it is to be compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from freedive.core.files import write_whole
from freedive.core.predicting import predicting
from freedive.data.codec import Codec
from freedive.data.text import TextData

if TYPE_CHECKING:
    from freedive.topics.transformer.t5 import T5

SHOWN = 5  # windows in the sample of a run


def unigram_entropy(tokens: Int[Tensor, " tokens"]) -> float:
    """−Σ p log p in nats, p the frequencies of the tokens: what a token costs without context."""
    counts = tokens.bincount().double()
    return float(torch.special.entr(counts / counts.sum()).sum())


def write_spans(model: "T5", data: TextData, folder: Path) -> list[str]:
    """Write ``spans.txt``: windows with gaps, what the model fills in, and what was there.

    Returns:
        A line on what a gap's token costs, given the true ones before, and without any context;
        and on how many are right where the model goes on from what it has written itself.
    """
    lines, cost, right, count = [f"on {data.label}\n"], 0.0, 0, 0
    device = next(model.parameters()).device
    for X, _ in data.get_dataloader(train=False):
        spans, source, target = model.fixed_task(X)
        found, true = model.fill(source), spans.inner(target)
        with predicting(model):
            logits = model(source.to(device), spans.written(target).to(device)).cpu()
        cost += float(model.loss(spans.inner(logits).float(), true)) * true.numel()
        for row in range(SHOWN if not count else 0):
            if row < len(X):
                parts = (None, found[row].tolist(), true[row].tolist())
                shown = (shown_gaps(data.codec, source[row], gaps) for gaps in parts)
                names = ("read", "filled", "was")
                lines += [f"{name:8}{text}" for name, text in zip(names, shown, strict=True)]
                lines.append("")
        right += int((found == true).sum())
        count += true.numel()
    training = torch.tensor(data.codec.tokenizer.encode(data.training_text))
    note = (
        f"a token in a gap costs {cost / count:.3f} nats, by its frequency alone "
        f"{unigram_entropy(training):.3f}; {right / count:.3f} of them are filled in right"
    )
    write_whole(folder / "spans.txt", "\n".join([*lines, note, ""]))
    return [note]


def shown_gaps(
    codec: Codec, source: Int[Tensor, " steps"], gaps: Sequence[Sequence[int]] | None
) -> str:
    """A text with brackets where something was cut out, and what is said to stand there."""
    known = codec.vocab.idx_to_token
    pieces = []
    for token in source.tolist():
        if token < len(known):
            pieces.append(known[token])
        else:
            inside = [] if gaps is None else [known[i] for i in gaps[token - len(known) - 1]]
            pieces.append(f"[{codec.tokenizer.join(inside)}]")
    return codec.tokenizer.join(pieces)
