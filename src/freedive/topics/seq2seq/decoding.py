"""How an output sequence is found, token by token: greedy, exhaustive and beam search (10.8)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freedive.core.errors import UsageError

# what is remembered of the sequences so far: each tensor has a row for each of them
State = tuple[Tensor, ...]
# the last token of each sequence, and the state, to log P(next token | …) and the next state
Step = Callable[[Int[Tensor, " rows"], State], tuple[Float[Tensor, "rows vocab"], State]]


ALPHA = 0.75  # how far a score makes up for length
MOST = 1_000_000  # sequences that an exhaustive search goes through


class Task(NamedTuple):
    """What every search begins with.

    Attributes:
        step: gives the log-probabilities of the next token.
        state: before the first step, a row for each input.
        bos: what each sequence begins with.
        eos: what ends it.
        max_len: the most tokens of a sequence, its ``<eos>`` included.
    """

    step: Step
    state: State
    bos: int
    eos: int
    max_len: int


@dataclass(frozen=True)
class Found:
    """The sequences that a search has found for each input, the best first.

    Attributes:
        tokens: without ``<bos>``; what follows an ``<eos>`` is ``<eos>``.
        lengths: tokens of each sequence, its ``<eos>`` included.
        log_probs: Σ log P(y_t | y_<t, c).
        scores: these, made up for length: see `normalised`.
        scored: for each input, the continuations whose probability was looked at.
    """

    tokens: Int[Tensor, "n best steps"]
    lengths: Int[Tensor, "n best"]
    log_probs: Float[Tensor, "n best"]
    scores: Float[Tensor, "n best"]
    scored: Int[Tensor, " n"]

    def best(self, eos: int) -> list[list[int]]:
        """The best sequence for each input, without its ``<eos>``."""
        rows = self.tokens[:, 0].tolist()
        return [row[: row.index(eos)] if eos in row else row for row in rows]


class Expansion(NamedTuple):
    """What one step of a search has looked at; a list of them is the tree that it has seen.

    Attributes:
        prefixes: the sequences that were to be continued.
        alive: which of them had no end yet.
        totals: log-probabilities of all continuations.
        kept: the continuations that were kept, as places in a flattened row of ``totals``.
    """

    prefixes: Int[Tensor, "n beam steps"]
    alive: Bool[Tensor, "n beam"]
    totals: Float[Tensor, "n beam vocab"]
    kept: Int[Tensor, "n beam"]


Trace = list[Expansion]


def select(state: State, rows: Int[Tensor, " rows"]) -> State:
    """The state of these sequences in this order; one may be taken several times."""
    return tuple(part.index_select(0, rows) for part in state)


def normalised(
    log_probs: Float[Tensor, "*shape"], lengths: Int[Tensor, "*lengths"], alpha: float
) -> Float[Tensor, "*shape"]:
    """log P / L^α: a sum over more tokens is smaller, and would lose against any shorter one."""
    return log_probs / lengths**alpha


def greedy_search(task: Task, alpha: float = ALPHA, trace: Trace | None = None) -> Found:
    """Take the likeliest token at each step, until all sequences have ended (section 10.8.1).

    Args:
        task: what is to be continued, and how.
        alpha: how far a score makes up for length.
        trace: is given what each step has looked at.
    """
    step, state, bos, eos, max_len = task
    tokens = torch.full((len(state[0]), 1), bos, device=state[0].device)
    lengths, scored = torch.zeros_like(tokens[:, 0]), torch.zeros_like(tokens[:, 0])
    log_probs, alive = torch.zeros_like(lengths, dtype=torch.float), lengths == 0
    for _ in range(max_len):
        log_p, state = step(tokens[:, -1], state)
        largest, token = log_p.max(dim=1)
        if trace is not None:
            totals = (log_probs[:, None] + log_p)[:, None]
            trace.append(Expansion(tokens[:, None, 1:], alive[:, None], totals, token[:, None]))
        log_probs = torch.where(alive, log_probs + largest, log_probs)
        lengths, scored = lengths + alive, scored + alive * log_p.shape[1]
        token = torch.where(alive, token, eos)
        tokens = torch.cat([tokens, token[:, None]], dim=1)
        alive = alive & (token != eos)
        if not alive.any():
            break
    scores = normalised(log_probs, lengths, alpha)
    return Found(tokens[:, None, 1:], lengths[:, None], log_probs[:, None], scores[:, None], scored)


class Beams(NamedTuple):
    """The sequences that are kept for each input; those of log-probability −∞ are no sequences."""

    tokens: Int[Tensor, "n beam steps"]
    lengths: Int[Tensor, "n beam"]
    log_probs: Float[Tensor, "n beam"]
    alive: Bool[Tensor, "n beam"]

    @classmethod
    def begin(cls, n: int, beam: int, bos: int, device: torch.device) -> "Beams":
        """One sequence of nothing but ``<bos>`` for each input."""
        tokens = torch.full((n, beam, 1), bos, device=device)
        log_probs = torch.full((n, beam), -torch.inf, device=device)
        log_probs[:, 0] = 0
        return cls(tokens, torch.zeros_like(tokens[..., 0]), log_probs, log_probs == 0)

    def continued(self, log_p: Float[Tensor, "rows vocab"], eos: int) -> Tensor:
        """Log-probabilities of all continuations; a sequence that has ended has one, itself."""
        stay = torch.full_like(log_p[0], -torch.inf)
        stay[eos] = 0
        log_p = torch.where(self.alive[..., None], log_p.view(*self.alive.shape, -1), stay)
        return self.log_probs[..., None] + log_p


def beam_search(
    task: Task, beam: int = 4, alpha: float = ALPHA, trace: Trace | None = None
) -> Found:
    """Keep the ``beam`` best sequences at each step, until all have ended (section 10.8.3).

    All continuations of what is kept compete by their scores, and so do the sequences that have
    ended. One beam is greedy search; |Y|^(max_len − 1) beams lose nothing: exhaustive search.

    Args:
        task: what is to be continued, and how.
        beam: sequences that are kept for each input.
        alpha: how far a score makes up for length.
        trace: is given what each step has looked at.
    """
    step, state, bos, eos, max_len = task
    n, device = len(state[0]), state[0].device
    row = torch.arange(n, device=device)[:, None]
    state = select(state, row.expand(n, beam).flatten())
    beams, scored = Beams.begin(n, beam, bos, device), torch.zeros_like(row[:, 0])
    for _ in range(max_len):
        log_p, state = step(beams.tokens[..., -1].flatten(), state)
        totals, lengths = beams.continued(log_p, eos), beams.lengths + beams.alive
        scored = scored + beams.alive.sum(dim=1) * log_p.shape[1]
        kept = normalised(totals, lengths[..., None], alpha).flatten(1).topk(beam).indices
        if trace is not None:
            trace.append(Expansion(beams.tokens[..., 1:], beams.alive, totals, kept))
        parent, token = kept // log_p.shape[1], kept % log_p.shape[1]
        log_probs = totals.flatten(1).gather(1, kept)
        alive = beams.alive[row, parent] & (token != eos) & log_probs.isfinite()
        tokens = torch.cat([beams.tokens[row, parent], token[..., None]], dim=2)
        beams = Beams(tokens, lengths[row, parent], log_probs, alive)
        if not alive.any():
            break
        state = select(state, (row * beam + parent).flatten())
    scores = normalised(beams.log_probs, beams.lengths, alpha)
    return Found(beams.tokens[..., 1:], beams.lengths, beams.log_probs, scores, scored)


def exhaustive_search(task: Task, vocab_size: int, alpha: float = ALPHA) -> Found:
    """Go through every sequence there is, all |Y|^max_len of them (section 10.8.2).

    Args:
        task: what is to be continued, and how.
        vocab_size: |Y|, the number of tokens.
        alpha: how far a score makes up for length.

    Raises:
        UsageError: these are more than a million.
    """
    step, state, bos, eos, max_len = task
    n, device = len(state[0]), state[0].device
    every = all_sequences(vocab_size, eos, max_len).to(device)
    lengths = ((every == eos).cumsum(dim=1) == 0).sum(dim=1).add(1).clamp(max=max_len)
    state = select(state, torch.arange(n, device=device).repeat_interleave(len(every)))
    before = torch.full((n * len(every),), bos, device=device)
    log_probs = torch.zeros(n, len(every), device=device)
    for t in range(max_len):
        log_p, state = step(before, state)
        before = every[:, t].repeat(n)
        told = log_p.gather(1, before[:, None]).view(n, -1)
        log_probs = torch.where(t < lengths, log_probs + told, log_probs)
    scores, order = normalised(log_probs, lengths, alpha).sort(dim=1, descending=True)
    scored = sum(vocab_size * (vocab_size - 1) ** t for t in range(max_len))
    return Found(
        every[order],
        lengths[order],
        log_probs.gather(1, order),
        scores,
        torch.full_like(order[:, 0], scored),
    )


def all_sequences(vocab_size: int, eos: int, max_len: int) -> Int[Tensor, "all steps"]:
    """Every sequence once: what follows an ``<eos>`` is ``<eos>``."""
    if vocab_size**max_len > MOST:
        raise UsageError(
            f"{vocab_size:,} tokens make {vocab_size:,}^{max_len} sequences of {max_len}, and an "
            f"exhaustive search goes through {MOST:,} at most: pass a smaller max_len, or a beam"
        )
    tokens = torch.arange(vocab_size).expand(max_len, -1)
    every = torch.cartesian_prod(*tokens).view(-1, max_len)
    ended = (every == eos).cumsum(dim=1) > 0
    return every[((every == eos) | ~ended).all(dim=1)]
