"""What the book says about files and devices, as checks (sections 6.6 and 6.7)."""

import copy
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from freedive.catalog import claim, erratum
from freedive.core import device
from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.errors import CheckpointError
from freedive.topics.building_blocks.blocks import Sequential
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.building_blocks.save_load import load_model, save_model
from freedive.topics.linear_regression.scratch import LinearRegressionScratch

Evidence = Iterator[tuple[Any, ...]]


def mlp() -> Sequential:
    """20 inputs, 256 hidden units, 10 outputs."""
    return Sequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 10))


@claim(
    "6.6.1", "tensors, lists and dicts come back from a file as they were", ("000 C37", "002a C124")
)
def round_trips() -> Evidence:
    """The section's values, by safetensors; a pickle is refused."""
    x, y = torch.arange(4), torch.zeros(4)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        save_checkpoint(path, x)
        yield load_checkpoint(path), x, 0.0
        save_checkpoint(path, [x, y])
        back = load_checkpoint(path)
        yield type(back) is list and len(back) == 2, True
        yield back[0], x, 0.0
        yield back[1], y, 0.0
        save_checkpoint(path, {"x": x, "y": y})
        back = load_checkpoint(path)
        yield list(back) == ["x", "y"], True
        yield back["x"].dtype is x.dtype, True
        yield back["y"], y, 0.0
        path.write_bytes(b"\x80\x04N.")
        try:
            said = f"loaded: {load_checkpoint(path)}"
        except CheckpointError as error:
            said = str(error)
        yield "is a pickle" in said, True


@claim(
    "6.6.2",
    "a new model with saved weights gives the same bits: 7,946 numbers",
    ("000 C37", "001_003_004 C52", "002a C125"),
)
def saved_model() -> Evidence:
    """Different before, equal after."""
    model, clone, X = mlp(), mlp(), torch.randn(2, 20)
    yield num_parameters(model), 7946
    yield torch.equal(clone(X), model(X)), False
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mlp.safetensors"
        save_model(model, path)
        yield torch.equal(load_model(clone, path)(X), model(X)), True


@claim("6.6.2", "saved weights fit a lazy model that has seen no batch", "002a C125")
def saved_to_lazy() -> Evidence:
    """It still calls itself lazy until its first batch."""
    model, X = mlp(), torch.randn(2, 20)
    clone = nn.Sequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10))
    clone.load_state_dict(model.state_dict())
    yield repr(clone[0]), "LazyLinear(in_features=0, out_features=256, bias=True)"
    yield torch.equal(clone(X), model(X)), True
    yield repr(clone[0]), "Linear(in_features=20, out_features=256, bias=True)"


@claim("6.7.1", "a device has a name, whether or not it is there", "002a C126")
def device_names() -> Evidence:
    """The CPU and the second GPU; the first may be Apple's."""
    yield str(device.cpu()), "cpu"
    yield str(device.gpu()) in ("cuda:0", "mps"), True
    yield str(device.gpu(1)), "cuda:1"


@claim("6.7.1", "try_gpu gives the CPU where there is no such GPU", "002a C127")
def missing_gpu() -> Evidence:
    """One more than this machine has."""
    yield str(device.try_gpu(device.num_gpus())), "cpu"
    yield str(device.try_gpu(device.num_gpus() + 10)), "cpu"


@erratum(
    "6.7.1",
    "try_all_gpus gives [cpu] on a machine without GPUs, as its description says",
    printed="[gpu(i) for i in range(num_gpus())], which is empty there",
    source=("002a E46", "002a C128"),
)
def no_gpus() -> Evidence:
    """With the number of GPUs taken for 0."""
    with patch.object(device, "num_gpus", lambda: 0):
        yield len([device.gpu(i) for i in range(device.num_gpus())]), 0
        yield str(device.try_all_gpus()), "[device(type='cpu')]"


@claim("6.7.2.2", "operands on different devices are an error; a moved copy is a copy", "002a C129")
def different_devices() -> Evidence:
    """With torch's device without numbers for the second; where the tensor is already, no copy."""
    X, far = torch.ones(2, 3), torch.ones(2, 3, device="meta")
    try:
        said = f"no error: {X + far}"
    except RuntimeError as error:
        said = str(error)
    yield "device" in said and "no error" not in said, True
    yield str((X.to("meta") + far).device), "meta"
    yield X.to("cpu") is X, True
    yield str(X.device), "cpu"


class RawTensors(nn.Module):
    """The printed linear regression: its parameters are plain tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.zeros(2, 1, requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)


@erratum(
    "6.7.3",
    "parameters that are nn.Parameter move with their model and are saved with it",
    printed="w and b are plain tensors: to(device) leaves them, and state_dict() is empty",
    source="002a E47",
)
def raw_tensors() -> Evidence:
    """The printed model and ours, after a move."""
    raw, ours = RawTensors(), LinearRegressionScratch(num_inputs=2)
    yield len(raw.state_dict()), 0
    yield str(raw.to("meta").w.device), "cpu"
    yield len(ours.state_dict()), 2
    moved = copy.deepcopy(ours).to("meta")
    yield {str(parameter.device) for parameter in moved.parameters()} == {"meta"}, True


class CountedReads(TorchDispatchMode):
    """Counts how often a number is read from a tensor, for which a program waits on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note the one operation that gives a Python number."""
        self.reads += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@erratum(
    "6.7.4",
    "to log every loss is to wait for the device every time; a sum kept there is read once",
    printed="logging every minibatch is slow because of Python's global interpreter lock",
    source=("002a E48", "002a C130"),
)
def logged_losses() -> Evidence:
    """Reads in an epoch of 100 minibatches, for the same mean."""
    losses = list(torch.rand(100, dtype=torch.float64))
    with CountedReads() as each:
        logged = sum(loss.item() for loss in losses) / len(losses)
    with CountedReads() as once:
        kept: Tensor = torch.zeros((), dtype=torch.float64)
        for loss in losses:
            kept += loss
        mean = kept.item() / len(losses)
    yield each.reads, 100
    yield once.reads, 1
    yield mean, logged, 1e-12
