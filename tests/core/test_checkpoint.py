"""State as one file that is whole or not there, and that runs no code."""

import math
import os
import pickle
import zipfile

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from freedive.core import files
from freedive.core.checkpoint import check_fits, load_checkpoint, save_checkpoint
from freedive.core.errors import CheckpointError
from freedive.core.files import StorageError, write_whole
from tiny import quiet, tiny_net

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


def same(first, second):
    """Equal in kind, value and bits, all the way down; NaN is equal to NaN."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Tensor):
        alike = first.dtype == second.dtype and first.shape == second.shape
        return alike and bits(first) == bits(second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second or (first != first and second != second)


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


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


def small_file(folder):
    path = folder / "small"
    save_checkpoint(path, {"w": torch.arange(4.0), "n": 1})
    return path


def refused(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_file_cut_at_any_length_is_refused(tmp_path):
    content, cut = small_file(tmp_path).read_bytes(), tmp_path / "cut"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        refused(cut)
    cut.write_bytes(content + b"\0")
    refused(cut)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path):
    """Only white space in the header may change without harm."""
    path = small_file(tmp_path)
    content, harmless = path.read_bytes(), 0
    for place in range(len(content)):
        for mask in (0x01, 0x80):
            damaged = bytearray(content)
            damaged[place] ^= mask
            path.write_bytes(damaged)
            try:
                state = load_checkpoint(path)
            except CheckpointError as error:
                assert "\n" not in str(error)
                continue
            assert same(state, {"w": torch.arange(4.0), "n": 1})
            harmless += 1
    assert harmless < 20


def test_a_flipped_bit_in_the_data_is_always_refused(tmp_path):
    path = small_file(tmp_path)
    content = path.read_bytes()
    for place in range(len(content) - 16, len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert "altered" in refused(path)


class Trap:
    """Leaves a mark when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_a_pickle_is_never_opened(tmp_path):
    torch.save({"trap": Trap()}, tmp_path / "torch.pt")
    torch.save({"trap": Trap()}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Trap()))
    for name in ("torch.pt", "old.pt", "plain.pkl"):
        assert "pickle" in refused(tmp_path / name)
    assert not Trap.sprung


def test_other_things_are_refused_in_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "zip", "w") as file:
        file.writestr("a", "b")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello, world\n" * 9)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    safetensors.torch.save_file({"w": torch.ones(1)}, tmp_path / "foreign")
    safetensors.torch.save_file({"w": torch.ones(1)}, tmp_path / "labelled", {"format": "pt"})
    for path in tmp_path.iterdir():
        refused(path)
    assert "train first" in refused(tmp_path / "missing")
    assert "folder" in refused(tmp_path / "folder")
    assert "not a checkpoint of freedive's" in refused(tmp_path / "foreign")
    refused(tmp_path / "text" / "under-a-file")


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (nn.Linear(2, 4), "'weight'"),
        (nn.Linear(2, 3, bias=False), "'bias'"),
        (nn.Sequential(nn.Linear(2, 3)), "'weight'"),
    ],
)
def test_another_models_weights_are_refused(tmp_path, other, word):
    weights = nn.Linear(2, 3).state_dict()
    with pytest.raises(CheckpointError, match=word) as caught:
        check_fits(other, weights, tmp_path / "some")
    assert type(other).__name__ in str(caught.value)
    assert "\n" not in str(caught.value)
    check_fits(nn.Linear(2, 3), weights, tmp_path / "some")


def test_a_run_of_another_model_is_not_resumed(tmp_path, tiny_data):
    quiet(max_epochs=1, run=tmp_path).fit(tiny_net(), tiny_data)
    other = tiny_net()
    other.net[0] = nn.Linear(4, 9)
    other.net[3] = nn.Linear(9, 3)
    with pytest.raises(CheckpointError, match="another model's"):
        quiet(max_epochs=2, run=tmp_path).fit(other, tiny_data, resume=True)
    assert other.trainer is None


class Killed(BaseException):
    """Stands for a process that ends here."""


def dies(*arguments):
    raise Killed


@pytest.mark.parametrize("moment", ["replace", "fsync"])
def test_dying_while_writing_leaves_the_old_file_whole(tmp_path, monkeypatch, moment):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, {"n": 1})
    monkeypatch.setattr(files.os, moment, dies)
    with pytest.raises(Killed):
        save_checkpoint(path, {"n": 2, "w": torch.ones(100)})
    assert load_checkpoint(path) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("moment", ["replace", "fsync"])
def test_a_process_that_vanishes_while_writing_leaves_the_old_file_whole(tmp_path, moment):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, {"n": 1})
    child = os.fork()
    if child == 0:
        setattr(os, moment, lambda *arguments: os._exit(9))
        save_checkpoint(path, {"n": 2, "w": torch.ones(100)})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert load_checkpoint(path) == {"n": 1}
    assert [p.name for p in tmp_path.glob("*.safetensors")] == ["last.safetensors"]
    save_checkpoint(path, {"n": 3})
    assert load_checkpoint(path) == {"n": 3}


def test_a_stray_temporary_is_not_taken_for_a_checkpoint(tmp_path, tiny_data):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / ".last.safetensors.abc").write_bytes(b"half of a file")
    history = quiet(max_epochs=1, run=tmp_path).fit(tiny_net(), tiny_data, resume=True)
    assert [row["epoch"] for row in history] == [1]


def test_a_full_disk_is_an_error_in_one_line_and_harms_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*file: the disk is full"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_below_a_file_is_an_error_in_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError) as caught:
        write_whole(tmp_path / "file" / "below", "x")
    assert "\n" not in str(caught.value)


def test_a_file_written_whole_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_whole(tmp_path / "whole", "x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode
