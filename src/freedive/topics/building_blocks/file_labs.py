"""Experiments on files and devices (sections 6.6 and 6.7)."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import lab
from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.device import cpu, gpu, num_gpus, try_all_gpus, try_gpu
from freedive.core.errors import CheckpointError
from freedive.core.hyperparameters import Count, Whole
from freedive.core.report import Report
from freedive.topics.building_blocks.blocks import Sequential
from freedive.topics.building_blocks.measuring import num_parameters, seeded
from freedive.topics.building_blocks.save_load import load_model, save_model

Row = dict[str, Any]


@lab("save-load", section="6.6")
def save_load(num_hiddens: Count = 256, seed: Whole = 0) -> Report:
    """Tensors, lists, dicts and a model to files and back, what is refused, and the devices here.

    Args:
        num_hiddens: hidden units of the model.
        seed: of all weights and numbers.
    """
    with seeded(seed), TemporaryDirectory() as folder:
        x, y = torch.arange(4), torch.zeros(4)
        values = {"tensor": x, "list": [x, y], "dict": {"x": x, "y": y}}
        rows = [trip_row(name, value, Path(folder) / name) for name, value in values.items()]
        model, clone = mlp(num_hiddens), mlp(num_hiddens)
        path = Path(folder) / "mlp.safetensors"
        save_model(model, path)
        X = torch.randn(2, 20)
        equal = torch.equal(load_model(clone, path)(X), model(X))
        rows.append({"what": "model", "bytes": path.stat().st_size, "equal": yes(equal)})
        refused = refusals(path, num_hiddens)
    return Report(
        numbers={"parameters": num_parameters(model), "GPUs": num_gpus()},
        tables={"there and back": rows, "refused": refused, "devices": devices()},
        notes=["A file holds weights alone: the architecture is the program that made them."],
    )


def devices() -> list[Row]:
    """What this machine gives when a device is asked for."""
    found = {
        "cpu()": cpu(), "gpu()": gpu(), "gpu(1)": gpu(1), "try_gpu()": try_gpu(),
        "try_gpu(10)": try_gpu(10), "try_all_gpus()": ", ".join(map(str, try_all_gpus())),
    }  # fmt: skip
    return [{"asked": asked, "given": str(given)} for asked, given in found.items()]


def mlp(num_hiddens: int) -> Sequential:
    """20 inputs, 10 outputs."""
    return Sequential(nn.Linear(20, num_hiddens), nn.ReLU(), nn.Linear(num_hiddens, 10))


def trip_row(name: str, value: Any, path: Path) -> Row:
    """A value's way to a file and back."""
    save_checkpoint(path, value)
    back = load_checkpoint(path)
    pairs = zip(tensors_in(value), tensors_in(back), strict=True)
    equal = type(back) is type(value) and all(torch.equal(a, b) for a, b in pairs)
    return {"what": name, "bytes": path.stat().st_size, "equal": yes(equal)}


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of a list, a dict, or one alone."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def yes(holds: bool) -> str:
    """A truth in a table."""
    return "yes" if holds else "no"


def refusals(path: Path, num_hiddens: int) -> list[Row]:
    """Files that are not opened, each with the reason that is given."""
    good = path.read_bytes()
    files = {
        "cut short": good[:-1],
        "one bit altered": good[:-1] + bytes([good[-1] ^ 1]),
        "a pickle": b"\x80\x04N.",
        "another model's": good,
    }
    rows = []
    for name, content in files.items():
        path.write_bytes(content)
        try:
            load_model(mlp(num_hiddens + (name == "another model's")), path)
        except CheckpointError as error:
            told = str(error).replace(f"{path.parent}/", "")
            rows.append({"file": name, "what is said": told})
    return rows
