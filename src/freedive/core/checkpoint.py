"""Training state as one file: tensors in safetensors, everything else as JSON in its header.

Nothing is ever unpickled, a file is written whole or not at all, and a digest over the content
tells a damaged file from a sound one.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from freedive.core.errors import CheckpointError
from freedive.core.files import write_whole

FORMAT = "freedive checkpoint 1"
PLAIN = (bool, int, float, str, type(None))  # what JSON keeps as it is


def save_checkpoint(path: Path, state: Any) -> None:
    """Write nested dicts, lists and tuples of tensors and plain values to one file."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_take_apart(state, "", tensors))
    # one entry only: of several, safetensors writes now one first, now another
    metadata = {FORMAT: json.dumps({"digest": _digest(text, tensors), "state": text})}
    write_whole(path, save(tensors, metadata=metadata))


def load_checkpoint(path: Path, device: str | torch.device = "cpu") -> Any:
    """Read what `save_checkpoint` wrote.

    Raises:
        CheckpointError: the file is missing, cut short, altered, a pickle, or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint at {path}: train first") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} {_what_is_wrong(path, error)}") from None
    if FORMAT not in metadata:
        raise CheckpointError(f"{path} is a safetensors file, but not a checkpoint of freedive's")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        content = json.loads(metadata[FORMAT])
        if content["digest"] == _digest(content["state"], tensors):
            moved = {name: tensor.to(device) for name, tensor in tensors.items()}
            return _put_together(json.loads(content["state"]), moved)
    raise CheckpointError(f"{path} was altered after it was written: restore it from a copy")


def check_fits(model: nn.Module, state: Any, path: Path) -> None:
    """Raise `CheckpointError` unless a checkpoint holds weights that a model can take.

    The model must be of the class that was saved, and have the same names and shapes.
    """
    if not isinstance(state, dict) or "model" not in state:
        raise CheckpointError(f"{path} holds no model: take the run's other checkpoint")
    kind, wanted = state.get("kind"), type(model).__name__
    if kind not in (None, wanted):
        raise CheckpointError(f"{path} is another model's: it is a {kind}, wanted is a {wanted}")
    weights = state["model"]
    have = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    given = {name: tuple(t.shape) for name, t in weights.items()}
    for name in have | given:
        if have.get(name) != given.get(name):
            raise CheckpointError(
                f"{path} is another model's: it has {given.get(name, 'nothing')} for {name!r}, "
                f"{type(model).__name__} wants {have.get(name, 'nothing')}"
            )


def _take_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The value with each tensor replaced by its name in ``tensors``."""
    if isinstance(value, Tensor):
        # a copy of its own, since two names may share memory (tied weights)
        name = path if path not in tensors else f"{path}#{len(tensors)}"  # keys 1 and "1"
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict) and all(isinstance(key, PLAIN) for key in value):
        items = [[k, _take_apart(v, f"{path}/{k}", tensors)] for k, v in value.items()]
        return {"dict": items}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        if all(isinstance(v, PLAIN) for v in value):
            return {kind: list(value)}
        return {kind: [_take_apart(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]}
    if isinstance(value, PLAIN):
        return value
    raise TypeError(f"a checkpoint cannot hold {path.lstrip('/')}: {type(value).__name__}")


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_take_apart`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {k: _put_together(v, tensors) for k, v in content}
    items = [_put_together(v, tensors) for v in content]
    return items if kind == "list" else tuple(items)


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _what_is_wrong(path: Path, error: Exception) -> str:
    if path.is_dir():
        return "is a folder: name the file in it"
    start = path.read_bytes()[:4] if path.is_file() else b""
    if start[:1] == b"\x80" or start[:2] == b"PK":
        return "is a pickle, which could run any code and is never opened: save it as safetensors"
    return f"is damaged or cut short ({error}): take the run's other checkpoint or train again"
