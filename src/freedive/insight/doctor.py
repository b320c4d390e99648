"""The doctor: finds what is wrong with a model and raises no error."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from freedive.insight.ailments import Finding, causes, found
from freedive.insight.checks_flow import flow
from freedive.insight.checks_structure import contents, structure
from freedive.insight.checks_training import training
from freedive.insight.checks_values import values
from freedive.insight.features import InsightError, preserved_chance
from freedive.insight.patient import Patient, admit, guessed_inputs, on_device_of

FATAL = {"module-as-key", "lazy-initialiser"}  # nothing can be run before they are mended


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and what could not be examined; true where something was found.

    Attributes:
        findings: the ailments; none for a healthy model.
        notes: what was left out, and what is wanted for it.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings] or ["nothing found"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """Findings and notes as plain values."""
        return {"findings": [f.to_json() for f in self.findings], "notes": list(self.notes)}


def doctor(
    model: nn.Module,
    data: Any = None,
    loss: Callable[..., Any] | None = None,
    lr: float | None = None,
    optimizer: Any = None,
) -> Diagnosis:
    """Examine a model for what raises no error; copies are run and trained, the model never is.

    Args:
        model: any module.
        data: ``(inputs, targets)``, a loader of such batches, ``(training, validation)``, or a
            DataModule; without data only the structure is examined, with a guessed input.
        loss: of outputs and targets; None takes the model's own ``loss``.
        lr: with which plain gradient descent is tried.
        optimizer: that is tried instead; None takes the model's ``configure_optimizers``.

    Raises:
        InsightError: not a model, or data that give no batches.

    Example:
        >>> net = nn.Sequential(nn.Linear(20, 64), nn.Linear(64, 10))
        >>> [finding.ailment for finding in doctor(net)]
        ['missing-activation']
    """
    with torch.enable_grad(), preserved_chance(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns of is told as a finding
        patient = admit(model, data, loss, lr, optimizer)
        findings = list(structure(patient))
        notes: list[str] = []
        if not FATAL & {f.ailment for f in findings}:
            patient, notes = with_input(patient)
            if patient.batch is not None:
                findings += examined(patient)
        return Diagnosis(tuple(causes(findings)), tuple(notes))


def examined(patient: Patient) -> list[Finding]:
    """What is found by running the model; an error in it is a finding too, and the last."""
    findings: list[Finding] = []
    try:
        patient.run(patient.twin())
        for check in (flow, values, training):
            for finding in check(patient):
                findings.append(finding)
    except Exception as error:  # the model's own, in forward, backward, loss or optimizer
        findings.append(raising(error))
    return findings


def raising(error: Exception) -> Finding:
    """An error as a finding."""
    told = " ".join(str(error).split()) or type(error).__name__
    reason, _, way_out = told.rpartition(": pass ") if ": pass " in told else (told, "", "")
    known = isinstance(error, InsightError)
    write = f"pass {way_out}" if way_out else "look at the shapes that the loss gets"
    if not known:
        reason, write = f"{type(error).__name__}: {told}", "look at backward and at the optimizer"
    return found("raises", "", 1, f"error: {reason}", write=write)


def with_input(patient: Patient) -> tuple[Patient, list[str]]:
    """The patient with an input to run on, and what cannot be examined."""
    if patient.batch is not None:
        patient = replace(patient, batch=on_device_of(patient.model, patient.batch))
        if patient.has_loss:
            return patient, []
        return patient, ["without a loss nothing was trained: pass loss=F.cross_entropy"]
    note = "without data only the structure was examined: pass data=(inputs, targets)"
    parts = [
        part for m in patient.model.modules() for v in vars(m).values() for part in contents(v)
    ]
    modules = [m for part in parts if isinstance(part, nn.Module) for m in part.modules()]
    for inputs in guessed_inputs([patient.model, *modules]):
        tried = replace(patient, batch=inputs)
        try:
            tried.run(tried.twin())
        except InsightError:
            continue
        return tried, [note]
    return patient, [f"{note}; no input could be guessed, so that it was not run"]
