"""Weights of one run as the beginning of another: learn from much text first (section 11.9)."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from freedive.core.checkpoint import load_checkpoint
from freedive.core.errors import CheckpointError, FreediveError, UsageError

if TYPE_CHECKING:
    from freedive.core.data import DataModule
    from freedive.runs import Run

TEXTS = "text.json"  # the file of a run that holds its vocabularies


class Taken(NamedTuple):
    """Which of a model's parameters were taken over.

    Attributes:
        names: those that were.
        left: those that keep their first values.
    """

    names: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(self.names)} of {len(self.names) + len(self.left)} parameters"


@torch.no_grad()
def take_over(model: nn.Module, state: Mapping[str, Tensor]) -> Taken:
    """Give a model those weights of another one whose names and shapes are equal.

    Buffers, such as moving averages, come along; it is the parameters that are counted.

    Args:
        model: is changed in place.
        state: the other model's ``state_dict``.

    Raises:
        UsageError: not one parameter fits.
    """
    own = model.state_dict()
    fits = {name for name in own if name in state and own[name].shape == state[name].shape}
    parameters = [name for name, _ in model.named_parameters()]
    taken = Taken(
        tuple(name for name in parameters if name in fits),
        tuple(name for name in parameters if name not in fits),
    )
    if not taken.names:
        raise UsageError(f"none of these weights fits a {type(model).__name__}: {why(own, state)}")
    for name in fits:
        own[name].copy_(state[name])
    return taken


def why(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What stands between two models, and the way out."""
    for name in own:
        if name in state:
            wanted, given = tuple(own[name].shape), tuple(state[name].shape)
            return f"{name} is {given} there and {wanted} here: pass the sizes of the other model"
    return "no name is equal: take a run of a model that has parts in common with it"


def start_from(
    run: "Run", model: nn.Module, data: "DataModule", sha256: str | None = None
) -> dict[str, Any]:
    """Give a model what fits of a run's best weights; gives what a record is to say of it.

    Args:
        run: whose weights, or its last ones where no epoch was measured.
        model: is changed in place.
        data: what it is to be trained on.
        sha256: of the checkpoint that it must be; None takes any.

    Raises:
        UsageError: nothing fits, or the run has learnt with another vocabulary than the data's.
        FreediveError: the run has other weights than the ones asked for.
        CheckpointError: the run has no checkpoint, or a damaged one.
    """
    path = run.best if run.best.exists() else run.last
    state = load_checkpoint(path)
    if not isinstance(state, dict) or "model" not in state:
        raise CheckpointError(f"{path} holds no model: take another run")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 not in (None, digest):
        raise FreediveError(
            f"the weights of {run.folder} are no longer those that this run began with: train a "
            "new one"
        )
    check_vocabulary(run, data)
    taken = take_over(model, state["model"])
    return {
        "run": str(run.folder.resolve()),
        "checkpoint": path.stem,
        "sha256": digest,
        "taken": len(taken.names),
        "of": len(taken.names) + len(taken.left),
        "left": list(taken.left),
    }


def check_vocabulary(run: "Run", data: "DataModule") -> None:
    """Refuse data whose tokens have other numbers than those of a run.

    Raises:
        UsageError: the vocabularies, or how texts are cleaned or cut, differ.
    """
    here = data.assets().get(TEXTS)
    if here is None or TEXTS not in (run.record.get("assets") or {}):
        return
    if run.asset(TEXTS) != json.loads(json.dumps(here)):
        raise UsageError(
            f"{run.folder} reads texts with another vocabulary than {data.label}: its weights "
            "would be those of other tokens, so train it on a text of the same tokens"
        )
