"""State as one file that is whole or not there, and that runs no code."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same
from torch import Tensor, nn

from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.errors import CheckpointError

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


def round_trip(value, folder):
    save_checkpoint(folder / "state", value)
    return load_checkpoint(folder / "state")


STATE = {
    "weights": {"a.b": torch.arange(6.0).reshape(2, 3), "empty": torch.zeros(0, 3)},
    "plain": [1, -2.5, True, False, None, "text", "", "ü\n\"'"],
    "odd": (math.inf, -math.inf, math.nan, 1e-320, 2**80, -0.0),
    "nested": [{"x": (torch.tensor(1.5), [])}, (), {}, [[[]]], ({1: "one", 0: torch.ones(1)},)],
    3: {-1: None},
}


def test_whatever_was_saved_comes_back_the_same(tmp_path):
    assert same(round_trip(STATE, tmp_path), STATE)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(-2, 2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(values)
def test_any_nesting_of_plain_values_comes_back(tmp_path_factory, value):
    value = [value, torch.zeros(1)]
    assert same(round_trip(value, tmp_path_factory.mktemp("any")), value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 2), (2, 3)], ids=str)
def test_tensors_of_every_kind_come_back(tmp_path, dtype, shape):
    tensor = (torch.randn(shape) * 3).to(dtype)
    assert same(round_trip({"t": tensor}, tmp_path)["t"], tensor)


def test_a_tensor_alone_comes_back(tmp_path):
    assert same(round_trip(torch.ones(2), tmp_path), torch.ones(2))


def test_tensors_that_are_not_contiguous_or_share_memory_come_back_apart(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    views = {"t": base.T, "row": base[1], "same": base[1], "steps": base[:, ::2]}
    images = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    back = round_trip({**views, "images": images}, tmp_path)
    assert same(back, {**views, "images": images})
    back["row"].zero_()
    assert same(back["same"], base[1])


def test_parameters_come_back_as_plain_tensors(tmp_path):
    back = round_trip(nn.Parameter(torch.ones(2)), tmp_path)
    assert type(back) is Tensor
    assert not back.requires_grad


@pytest.mark.parametrize(
    "state",
    [
        {1: torch.zeros(1), "1": torch.ones(1)},
        {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}},
        [torch.zeros(1), {"0": torch.ones(1)}],
        {"__metadata__": torch.ones(1), "": torch.zeros(1)},
    ],
)
def test_keys_that_look_alike_are_kept_apart(tmp_path, state):
    assert same(round_trip(state, tmp_path), state)


def test_dicts_that_look_like_the_formats_own_words_come_back(tmp_path):
    state = {"tensor": "x", "nested": {"dict": [["a", 1]]}, "list": [{"tuple": (1,)}]}
    assert same(round_trip(state, tmp_path), state)


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), b"bytes", nn.Linear(1, 1), {(1, 2): 3}],
    ids=lambda v: type(v).__name__,
)
def test_what_cannot_come_back_is_not_saved(tmp_path, value):
    with pytest.raises((TypeError, CheckpointError)):
        save_checkpoint(tmp_path / "state", {"this": value})
    assert list(tmp_path.iterdir()) == []


def test_equal_states_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        save_checkpoint(tmp_path / name, STATE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
