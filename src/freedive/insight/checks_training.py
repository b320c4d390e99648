"""What is wrong with how a model learns: seen when a copy takes twenty steps on one batch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from freedive.insight.ailments import Finding, found
from freedive.insight.checks_structure import held_parameters
from freedive.insight.patient import Patient, rate_groups

STEPS = 20
RISEN = 2.0  # times the first loss
FALLEN = 5e-3  # of the first loss; a plateau falls less, but a higher rate does not help there
HELPED = 0.05  # of the first loss, which a higher rate must win
QUIET = 1e-4  # of a weight in a step; a healthy step changes about 1e-3
SMALL = 0.01  # a typical first weight: one that begins at 0 is measured against this
HIGHER = (100.0, 1e3, 1e4)  # times the rate: what is tried where the loss does not fall


@dataclass
class Trial:
    """What some steps on one batch did.

    Attributes:
        losses: before each step and after the last.
        lr: of the first parameters.
        still: names of weights that the optimizer holds and that are the same numbers still.
        moved: names of those that are not.
        ratio: the largest change of a weight, relative to the weight, in one step on average.
    """

    losses: list[float]
    lr: float
    still: list[str]
    moved: list[str]
    ratio: float

    @property
    def fall(self) -> float:
        """By how much the loss fell, relative to the first."""
        last = sum(self.losses[-3:]) / len(self.losses[-3:])
        return (self.losses[0] - last) / (abs(self.losses[0]) + 1e-12)

    @property
    def diverged(self) -> bool:
        """Whether the loss ended far above its start, or nowhere."""
        return not math.isfinite(self.losses[-1]) or self.fall < 1 - RISEN


def training(patient: Patient) -> Iterator[Finding]:
    """Every finding that needs steps of training."""
    if not patient.has_loss:
        return
    trial = attempt(patient)
    if trial is None or not math.isfinite(trial.losses[0]):
        return
    if trial.diverged:
        grown = trial.losses[-1] / trial.losses[0] if trial.losses[0] else math.inf
        unit = f"times the first loss after {len(trial.losses) - 1} steps with lr {trial.lr:g}"
        lr = _rate_that_falls(patient) * trial.lr
        yield found("lr-too-high", "the optimizer", grown, unit, lr=f"{lr:.2g}")
        return
    if trial.fall < FALLEN and trial.lr and trial.ratio < QUIET:
        better = max(HELPED, 10 * trial.fall)
        tries = ((factor, attempt(patient, factor)) for factor in HIGHER)
        factor = next((factor for factor, faster in tries if faster and faster.fall > better), None)
        if factor is not None:
            unit = f"of a weight changes in a step with lr {trial.lr:g}"
            words = {"lr": f"{factor * trial.lr:.2g}", "times": f"{factor:g}"}
            yield found("lr-too-low", "the optimizer", trial.ratio, unit, **words)
    if trial.still and trial.moved:
        unit = f"of {len(trial.still) + len(trial.moved)} weights are unchanged after {STEPS} steps"
        name = trial.still[0]
        yield found("never-changes", name, len(trial.still), unit, name=name)


def _rate_that_falls(patient: Patient) -> float:
    """The first factor 1/10, 1/100, … with which the loss falls."""
    factors = (10.0**-k for k in range(1, 6))
    for factor in factors:
        trial = attempt(patient, factor)
        if trial and not trial.diverged and trial.fall > 0:
            return factor
    return 0.1


def attempt(patient: Patient, factor: float = 1.0) -> Trial | None:
    """Train a twin on one batch, with the model's learning rate times a factor."""
    twin = patient.twin(training=True)
    optim = patient.optimizer_of(twin, factor)
    if optim is None:
        return None
    held = held_parameters(optim)
    learning = {n: p for n, p in twin.named_parameters() if p.requires_grad}
    before = {n: p.detach().clone() for n, p in learning.items() if p.dim() > 1}
    losses: list[float] = []
    with torch.enable_grad():
        for step in range(STEPS + 1):
            loss = patient.loss_of(twin, patient.run(twin))
            losses.append(float(loss.detach()))
            if step == STEPS or not math.isfinite(losses[-1]) or not loss.requires_grad:
                break
            grads = torch.autograd.grad(loss, list(learning.values()), allow_unused=True)
            for p, grad in zip(learning.values(), grads, strict=True):
                p.grad = grad
            optim.step()
    mine = {n: b for n, b in before.items() if held is None or id(learning[n]) in held}
    steps = max(len(losses) - 1, 1)
    changes = [_change(learning[n], b) / steps for n, b in mine.items() if b.numel()]
    still = [
        n for n, b in mine.items() if learning[n].grad is not None and torch.equal(learning[n], b)
    ]
    moved = [n for n in mine if n not in still]
    lr = float(rate_groups(optim)[0]["lr"])
    return Trial(losses, lr, still, moved, max(changes, default=0.0))


def _change(after: Tensor, before: Tensor) -> float:
    size = max(float(before.norm()), SMALL * math.sqrt(before.numel()))
    return float((after.detach() - before).norm()) / size
