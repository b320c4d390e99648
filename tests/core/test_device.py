"""A device is obeyed, or refused with a reason."""

import warnings

import pytest
import torch
from torch import nn

from freedive.core import device as devices
from freedive.core.device import (
    choose_device,
    cpu,
    describe_device,
    fastest_layout,
    gpu,
    try_all_gpus,
    try_gpu,
)
from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def apple(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


def test_R16_without_a_gpu_all_gpus_are_the_cpu(no_gpu):
    assert try_all_gpus() == [cpu()] == [torch.device("cpu")]
    assert try_gpu() == try_gpu(3) == torch.device("cpu")
    assert devices.num_gpus() == 0


def test_R16_all_gpus_are_listed(two_gpus):
    assert try_all_gpus() == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert try_gpu(1) == gpu(1) == torch.device("cuda:1")
    assert try_gpu(2) == cpu()


def test_R15_apples_gpu_is_found(apple):
    assert try_all_gpus() == [torch.device("mps")]
    assert choose_device() == choose_device(num_gpus=1) == torch.device("mps")


@pytest.mark.parametrize("asked", [{"num_gpus": 4}, {"devices": 4}, {"num_gpus": 1}])
def test_R15_more_gpus_than_there_are_is_refused_with_the_reason(no_gpu, asked):
    with pytest.raises(UsageError) as caught:
        Trainer(**asked)
    message = str(caught.value)
    assert "=".join(map(str, next(iter(asked.items())))) in message
    assert "CPU" in message
    assert "pass" in message
    assert "\n" not in message


def test_R15_several_gpus_are_not_taken_for_one_in_silence(two_gpus):
    for asked in ({"num_gpus": 2}, {"devices": 2}, {"devices": 3}):
        with pytest.raises(UsageError, match="devices"):
            choose_device(**asked)


@pytest.mark.parametrize(
    "asked", [{"device": "cpu", "num_gpus": 1}, {"device": "cuda", "num_gpus": 0}]
)
def test_R15_a_contradiction_is_not_settled_in_silence(two_gpus, asked):
    with pytest.raises(UsageError):
        choose_device(**asked)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "meta", "CPU", "cuda:-1"])
def test_a_name_that_is_no_device_is_refused(name):
    with pytest.raises(UsageError, match="device"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused(no_gpu, name):
    with pytest.raises(UsageError, match=rf"'{name}' is not there; found: CPU"):
        choose_device(name)


def test_a_gpu_number_that_is_not_there_is_refused(two_gpus):
    with pytest.raises(UsageError, match=r"'cuda:2' is not there; found: cuda:0 \(Some GPU\)"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ({}, "cuda:0"),
        ({"num_gpus": 0}, "cpu"),
        ({"num_gpus": 1}, "cuda:0"),
        ({"device": "cpu"}, "cpu"),
        ({"device": "cuda:1"}, "cuda:1"),
        ({"device": "cuda:1", "num_gpus": 1}, "cuda:1"),
    ],
)
def test_what_is_there_is_obeyed(two_gpus, asked, got):
    assert choose_device(**asked) == torch.device(got)


def test_a_device_is_described_in_words(two_gpus):
    assert describe_device(torch.device("cuda:1")) == "cuda:1 (Some GPU)"
    assert describe_device(torch.device("mps")) == "mps (Apple GPU)"
    assert describe_device(cpu()).startswith(f"CPU ({torch.get_num_threads()} threads")


@pytest.mark.parametrize(
    ("layer", "layout"),
    [
        (nn.Linear(4, 4), torch.preserve_format),
        (nn.Conv2d(4, 8, 3, stride=2), torch.channels_last),
        (nn.Conv2d(4, 8, 1), torch.channels_last),
        (nn.Conv2d(8, 8, 1, stride=2), torch.channels_last),
        (nn.Conv2d(7, 8, 1, stride=2), torch.preserve_format),
    ],
)
def test_a_layout_in_which_torch_would_destroy_memory_is_avoided_on_the_cpu(layer, layout):
    assert fastest_layout(nn.Sequential(layer), torch.device("cpu")) is layout


@pytest.mark.parametrize(("features", "warned"), [("AVX2", True), ("AVX512", False)])
def test_half_precision_that_is_emulated_is_told_of(features, warned, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: features)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Trainer(precision="bf16", device="cpu")
        Trainer(precision="32", device="cpu")
    assert len(told) == warned
    assert all("bf16 is emulated on this CPU (AVX2)" in str(w.message) for w in told)


def test_compile_without_a_compiler_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match=r"wants a C\+\+ compiler.* leave compile out"):
        Trainer(compile=True, device="cpu")
    Trainer(device="cpu")
