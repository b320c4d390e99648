"""Models in files: weights as safetensors, the architecture as code (section 6.6)."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from freedive.core.checkpoint import check_fits, load_checkpoint, save_checkpoint
from freedive.core.errors import UsageError

M = TypeVar("M", bound=nn.Module)


def save_model(model: nn.Module, path: Path) -> None:
    """Write a model's parameters and buffers to one file."""
    _refuse_lazy(model)
    save_checkpoint(path, {"kind": type(model).__name__, "model": dict(model.state_dict())})


def load_model(model: M, path: Path, device: str | torch.device = "cpu") -> M:
    """Give a model the weights in a file, and move it to a device.

    Raises:
        CheckpointError: the file is missing, damaged, a pickle, or holds another model's weights;
            the model is as it was.
        UsageError: the model is lazy.
    """
    _refuse_lazy(model)
    state = load_checkpoint(path)
    check_fits(model, state, path)
    model.load_state_dict(state["model"])
    return model.to(device)


def _refuse_lazy(model: nn.Module) -> None:
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            raise UsageError(
                f"{name!r} of {type(model).__name__} is lazy and has no shape yet: send one batch "
                "through the model first"
            )
