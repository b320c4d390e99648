"""An experiment with ever larger GPTs: how the loss falls with size, text and compute (11.9.4)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.muon import Muon
from freedive.core.random import generator, preserved_random_state, seed_everything
from freedive.core.report import Report
from freedive.topics.sequences.texts import TextName, open_text, origin
from freedive.topics.transformer.gpt import GPT
from freedive.topics.transformer.power_law import PowerLaw, fit_floor, fit_line
from freedive.topics.transformer.scaling_figures import scaling_figure

By = Literal["parameters", "data", "compute"]
WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)  # about √2 times the one before
NUM_LAYERS, NUM_HEADS, NUM_STEPS, BATCH = 2, 2, 32, 8
HELD_OUT = 256  # windows
RANGE = 8  # how much more text the last run gets than the first, where it grows
LR, WARMUP, CLIP = 0.01, 0.1, 1.0
NOTES = [
    "Parameters are those without embedding and head, and compute is C = 6ND: each parameter takes "
    "part in a multiplication and an addition, once on the way there and twice on the way back.",
    "All runs read the same text in the same order, and their rate falls to zero at their own end; "
    "the loss is that of text that none has read.",
    "The laws are fitted to all runs but the last, whose loss they then foretell: hollow in the "
    "figure.",
    "Models as small as these have hardly begun to learn: their exponents are those of this text "
    "and this training, not those of large language models.",
]


@dataclass
class Run:
    """A model that was trained.

    Attributes:
        width: its hidden units.
        parameters: N, without embedding and head.
        tokens: D, those it read.
        loss: of held-out text, in nats a token.
        losses: of its training batches.
    """

    width: int
    parameters: int
    tokens: int
    loss: float = math.nan
    losses: list[float] = field(default_factory=list)

    @property
    def compute(self) -> float:
        """C = 6ND operations."""
        return 6.0 * self.parameters * self.tokens


@lab("scaling", section="11.9.4")
def scaling(
    by: By = "parameters",
    runs: Annotated[int, Bounds(6, len(WIDTHS), whole=True)] = 6,
    tokens: Annotated[int, Bounds(8_192, 10**9, whole=True)] = 49_152,
    data: TextName = "auto",
    seed: Whole = 0,
) -> Report:
    """Scaling laws: train GPTs of growing size, and fit power laws to their held-out losses.

    Args:
        by: what grows: parameters; the text, read by the largest model; or compute, where the text
            grows with the square root of the parameters.
        runs: how many models are trained; from the seventh on, each is larger than all before.
        tokens: characters that the last run reads, and where only parameters grow, every run.
        data: the Time Machine, the tales made by code, or whichever is here.
        seed: of first weights and the order of reading.
    """
    text = open_text(data)
    train, held_out = text.windows
    train, held_out = train[::NUM_STEPS], held_out[:HELD_OUT]  # every token is a target once
    done = [
        trained(width, steps, train, held_out, len(text.vocab), seed)
        for width, steps in planned(by, runs, tokens)
    ]
    x, losses = [grown(run, by) for run in done], [run.loss for run in done]
    line, floor = fit_line(x[:-1], losses[:-1]), fit_floor(x[:-1], losses[:-1])
    notes = [*NOTES, origin(text)]
    if tokens > len(train) * NUM_STEPS:
        notes.append(
            f"It has {len(train) * NUM_STEPS:,} tokens to learn from: some were read again."
        )
    return Report(
        numbers=numbers_of(line, floor, x[-1], losses[-1]),
        tables={"runs": [row(run) for run in done]},
        figures={"scaling": scaling_figure(by, done, x, line, floor)},
        notes=notes,
    )


def planned(by: By, runs: int, tokens: int) -> Iterator[tuple[int, int]]:
    """Width and steps of each run."""
    widths, most = WIDTHS[:runs], tokens // (BATCH * NUM_STEPS)
    for number, width in enumerate(widths):
        share = 1.0
        if by == "data":
            share = RANGE ** (number / (runs - 1) - 1)
        elif by == "compute":  # parameters grow with the square of the width
            share = width / widths[-1]
        yield widths[-1] if by == "data" else width, max(1, round(share * most))


def trained(
    width: int,
    num_steps: int,
    train: Int[Tensor, "windows length"],
    held_out: Int[Tensor, "others length"],
    vocab_size: int,
    seed: int,
) -> Run:
    """A GPT of that width after Muon with a warmup and half a cosine, and its held-out loss."""
    with preserved_random_state():
        seed_everything(seed)
        model = GPT(vocab_size, NUM_STEPS, width, NUM_LAYERS, NUM_HEADS, dropout=0.0)
    run = Run(width, num_parameters(model), num_steps * BATCH * NUM_STEPS)
    # of Muon's steps, unlike Adam's, one rate serves all widths
    optim = Muon(*model.inner_and_outer(), lr=LR, weight_decay=0.01)
    for step, rows in enumerate(batches(len(train), num_steps, seed)):
        for group in optim.param_groups:
            group["lr"] = LR * rate(step / num_steps)
        loss = loss_of(model, train[rows])
        optim.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optim.step()
        run.losses.append(loss.item())
    with torch.no_grad():
        run.loss = loss_of(model.eval(), held_out).item()
    return run


def batches(num_windows: int, num_steps: int, seed: int) -> Iterator[Int[Tensor, " batch"]]:
    """The rows of each step: all windows in random order, and again; fewer steps are the first."""
    rows, epoch = torch.empty(0, dtype=torch.int64), 0
    for _ in range(num_steps):
        while len(rows) < BATCH:
            rows = torch.cat([rows, torch.randperm(num_windows, generator=generator(seed, epoch))])
            epoch += 1
        yield rows[:BATCH]
        rows = rows[BATCH:]


def rate(progress: float) -> float:
    """The share of the peak: up in a tenth of the time, then down by half a cosine."""
    return min((progress + 0.01) / WARMUP, (1 + math.cos(math.pi * progress)) / 2)


def loss_of(model: GPT, windows: Int[Tensor, "batch length"]) -> Tensor:
    """The mean cross-entropy of each token after those before it in its window."""
    return model.loss(model(windows[:, :-1]), windows[:, 1:])


def num_parameters(model: GPT) -> int:
    """N: all but embedding and head, whose size is the vocabulary's."""
    outside = {id(p) for layer in (model.embedding, model.head) for p in layer.parameters()}
    return sum(p.numel() for p in model.parameters() if id(p) not in outside)


def grown(run: Run, by: By) -> float:
    """The number that a law is about."""
    return float({"parameters": run.parameters, "data": run.tokens, "compute": run.compute}[by])


def numbers_of(line: PowerLaw, floor: PowerLaw, last: float, loss: float) -> dict[str, float]:
    """Both laws, and what they foretell of the last run."""
    return {
        "exponent α of a x^(−α)": line.exponent,
        "its scale a": line.scale,
        "its error, in logarithms": line.error,
        "exponent with a floor": floor.exponent,
        "its floor L∞": floor.floor,
        "error with a floor": floor.error,
        "last loss": loss,
        "last loss, foretold": line(last),
        "last loss, foretold with a floor": floor(last),
    }


def row(run: Run) -> dict[str, Any]:
    """A run in the table."""
    return {
        "width": run.width,
        "parameters": run.parameters,
        "tokens": run.tokens,
        "FLOPs": run.compute,
        "training loss": sum(run.losses[-10:]) / len(run.losses[-10:]),
        "held-out loss": run.loss,
    }
