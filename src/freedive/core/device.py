"""Where tensors live: CUDA, Apple's MPS or the CPU (section 6.7)."""

import importlib.util
import os
import shutil
import warnings

import torch
from torch import nn

from freedive.core.errors import UsageError


def cpu() -> torch.device:
    """The CPU."""
    return torch.device("cpu")


def gpu(i: int = 0) -> torch.device:
    """The i-th CUDA device, or Apple's GPU where there is one."""
    return torch.device("mps") if _has_mps() and i == 0 else torch.device(f"cuda:{i}")


def num_gpus() -> int:
    """How many GPUs this machine has; Apple's counts as one."""
    return torch.cuda.device_count() or int(_has_mps())


def try_gpu(i: int = 0) -> torch.device:
    """The i-th GPU if it exists, else the CPU."""
    return gpu(i) if i < num_gpus() else cpu()


def try_all_gpus() -> list[torch.device]:
    """All GPUs, or ``[cpu()]`` where there is none."""
    return [gpu(i) for i in range(num_gpus())] or [cpu()]


def choose_device(
    device: str = "auto", devices: int = 1, num_gpus: int | None = None
) -> torch.device:
    """The one device that was asked for, or an error that says why it cannot be had.

    Args:
        device: ``auto`` (CUDA, MPS, CPU: the first that is there) or a name that torch knows.
        devices: how many are to train together.
        num_gpus: the book's word for it: 0 is the CPU, 1 is one GPU; None leaves it to ``device``.

    Raises:
        UsageError: the device is not on this machine, or there are fewer than ``devices``.
    """
    if num_gpus is not None and device != "auto" and (num_gpus == 0) != (str(device) == "cpu"):
        raise UsageError(f"num_gpus={num_gpus} contradicts device={device!r}: pass one of the two")
    if num_gpus == 0:
        device = "cpu" if device == "auto" else device
    elif num_gpus is not None:
        devices = max(devices, num_gpus)
        device = _accelerator(f"num_gpus={num_gpus}") if device == "auto" else device
    chosen = try_gpu() if device == "auto" else _named(device)
    if devices > 1:
        have = _how_many(chosen.type)
        if have < devices:
            raise UsageError(
                f"devices={devices} wants {devices} GPUs, this machine has {have} "
                f"({describe_device(chosen)}): pass devices=1"
            )
        raise UsageError(
            f"devices={devices}: training on several devices at once is not there yet: "
            "pass devices=1, and --device cuda:N to choose which"
        )
    return chosen


def fastest_layout(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last for a model with convolutions, where torch computes it safely.

    On the CPU, torch 2.13 writes past the end of memory in the backward pass of a strided 1×1
    convolution of fewer than 8 channels in that layout; such a model keeps the plain one.
    """
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    fatal = device.type == "cpu" and any(
        m.kernel_size == (1, 1) and max(m.stride) > 1 and m.in_channels // m.groups < 8
        for m in convolutions
        if isinstance(m.stride, tuple)
    )
    if fatal or not any(p.dim() == 4 for p in model.parameters()):
        return torch.preserve_format
    return torch.channels_last


def check_support(device: torch.device, precision: str, compile: bool) -> None:
    """Refuse what a device cannot do, and warn of what it does badly, in one line each."""
    if compile:
        check_compiler(device)
    if precision == "32" or device.type != "cpu":
        return
    features = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in features and features not in ("SVE256", "SVE128"):
        warnings.warn(
            f"precision={precision} is emulated on this CPU ({features}), many times slower than "
            "32: it saves time only on a GPU or a CPU with AVX-512",
            stacklevel=2,
        )


def check_compiler(device: torch.device) -> None:
    """Refuse ``compile`` where torch.compile would find nothing to compile with.

    Raises:
        UsageError: no C++ compiler for the CPU, or no Triton for CUDA.
    """
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UsageError("compile on CUDA wants Triton, which is not installed: pip install triton")
    compilers = (os.environ.get("CXX"), "g++", "clang++", "c++", "cl")
    if device.type == "cpu" and not any(name and shutil.which(name) for name in compilers):
        raise UsageError(
            "compile wants a C++ compiler, and none is on the PATH (g++, clang++, CXX): install "
            "one or leave compile out"
        )


def describe_device(device: torch.device) -> str:
    """The device in words: ``CPU (2 threads)``, ``cuda:0 (NVIDIA H100)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "mps (Apple GPU)"
    return f"CPU ({torch.get_num_threads()} threads)"


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _how_many(kind: str) -> int:
    return num_gpus() if kind in ("cuda", "mps") else 0


def _accelerator(asked: str) -> str:
    if num_gpus() == 0:
        raise UsageError(f"{asked} wants a GPU, this machine has only a CPU: pass num_gpus=0")
    return str(try_gpu())


def _named(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device wants auto, cpu, cuda, cuda:N or mps, got {name!r}") from None
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"device wants auto, cpu, cuda, cuda:N or mps, got {name!r}")
    if device.type != "cpu":
        kinds = {gpu.type for gpu in try_all_gpus()}
        if device.type not in kinds or (device.index or 0) >= _how_many(device.type):
            found = ", ".join(describe_device(d) for d in [*try_all_gpus()])
            raise UsageError(f"device {name!r} is not there; found: {found}: pass device='auto'")
    return device
