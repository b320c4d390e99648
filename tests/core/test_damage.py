"""A checkpoint that is damaged, foreign or half written is told from a sound one."""

import os
import pickle
import zipfile

import pytest
import safetensors.torch
import torch
from tiny import quiet, same, tiny_net
from torch import nn

from freedive.core import files
from freedive.core.checkpoint import check_fits, load_checkpoint, save_checkpoint
from freedive.core.errors import CheckpointError
from freedive.core.files import StorageError, write_whole


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
            except CheckpointError:
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
        (nn.Sequential(nn.Linear(2, 3)), "'0.weight'"),
    ],
)
def test_another_models_weights_are_refused(tmp_path, other, word):
    state = {"model": nn.Linear(2, 3).state_dict()}
    with pytest.raises(CheckpointError, match=word) as caught:
        check_fits(other, state, tmp_path / "some")
    assert type(other).__name__ in str(caught.value)
    assert "\n" not in str(caught.value)
    check_fits(nn.Linear(2, 3), state, tmp_path / "some")


@pytest.mark.parametrize(
    "state", [{}, [], None, 3, {"weights": {}}, {"model": {}, "kind": "LeNet"}]
)
def test_a_checkpoint_without_this_kind_of_model_is_refused(tmp_path, state):
    with pytest.raises(CheckpointError) as caught:
        check_fits(nn.Linear(2, 3), state, tmp_path / "some")
    assert "\n" not in str(caught.value)


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
