"""Bad input ends in one line: what was given, what was wanted, the way out; nothing is lost."""

import gzip
import shutil
import struct
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import SMALL, Call

ROWS, NO_VALUE = 12, ()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trian"], ["trian", "train"]),
        (["train"], ["name of a system"]),
        (["train", "lenett"], ["lenett", "lenet"]),
        (["list", "mpl"], ["mpl", "mlp"]),
        (["verify", "mlpp"], ["mlpp", "mlp"]),
        (["train", "mlp", "--max-epoch", "3"], ["--max-epoch", "--max-epochs"]),
        (["train", "mlp", "--learning-rate", "3"], ["--learning-rate", "--lr"]),
        (["train", "lenet", "--preset", "modrn"], ["modrn", "modern"]),
        (["train", "mlp", "--impl", "foo"], ["foo", "scratch", "concise"]),
        (["train", "mlp", "--lr"], ["--lr"]),
        (["train", "mlp", "stray"], ["stray"]),
        (["train", "mlp", "--data", "fashion-mnits"], ["fashion-mnits", "fashion-mnist"]),
        (["train", "mlp", "--data", "synthetic-regression"], ["images", "regression"]),
        (["train", "mlp", "--device", "tpu"], ["tpu", "cpu"]),
        (["train", "mlp", *SMALL, "--name", "../escape"], ["../escape"]),
        (["train", "mlp", *SMALL, "--num-outputs", "5"], ["num_outputs", "10", "5"]),
        (["train", "lenet", *SMALL, "--resize", "8"], ["12×12", "8×8", "resize"]),
        (["resume", "nowhere"], ["nowhere"]),
        (["evaluate", "nowhere"], ["nowhere"]),
        (["plot", "nowhere"], ["nowhere"]),
        (["compare", "nowhere"], ["nowhere"]),
        (["data", "get"], ["name"]),
        (["data", "get", "nowhere"], ["nowhere"]),
    ],
)
def test_wrong_usage_names_the_way_out(call: Call, args: list[str], words: list[str]) -> None:
    outcome = call(*args)
    assert outcome.code == 2
    assert all(word in outcome.error for word in words), outcome.error
    assert not Path("runs").exists()


@pytest.mark.parametrize("flag", ["--batch-size", "--max-epochs", "--num-hiddens", "--lr"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "abc", "inf"])
def test_numbers_out_of_their_domain_are_refused_at_the_door(
    call: Call, flag: str, value: str
) -> None:
    outcome = call("train", "mlp", "--data", "garments", flag, value)
    assert outcome.code == 2
    assert flag.strip("-").replace("-", "_") in outcome.error.replace("-", "_")
    assert value in outcome.error
    assert "number" in outcome.error
    assert not Path("runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU has the device")
@pytest.mark.parametrize("args", [("--device", "cuda"), ("--devices", "4"), ("--num-gpus", "4")])
def test_r15_a_device_that_is_not_there_is_refused(call: Call, args: tuple[str, str]) -> None:
    outcome = call("train", "mlp", *SMALL, *args)
    assert outcome.code == 2
    assert "CPU" in outcome.error


def idx(number: int, *shape: int, body: bytes = b"") -> bytes:
    """An IDX file."""
    return struct.pack(f">I{len(shape)}I", number, *shape) + body


def labels(*values: int) -> bytes:
    return idx(0x801, len(values), body=bytes(values))


def images(n: int) -> bytes:
    return idx(0x803, n, 28, 28, body=bytes(n * 784))


GOOD = {
    "train-images-idx3-ubyte": images(ROWS),
    "train-labels-idx1-ubyte": labels(*[1] * ROWS),
    "t10k-images-idx3-ubyte": images(2),
    "t10k-labels-idx1-ubyte": labels(0, 9),
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train-images-idx3-ubyte": images(ROWS)[:500]}, ["train-images", "500"]),
        (
            {"train-images-idx3-ubyte": gzip.compress(images(ROWS))[:-9]},
            ["train-images", "gzip"],
        ),
        ({"train-labels-idx1-ubyte": idx(0x802, ROWS)}, ["train-labels", "0x00000802"]),
        ({"train-labels-idx1-ubyte": labels(*[1] * 99)}, ["12", "99"]),
        ({"train-labels-idx1-ubyte": labels(*[1] * 11, 77)}, ["77", "0 to 9"]),
        (
            {"train-images-idx3-ubyte": images(0), "train-labels-idx1-ubyte": labels()},
            ["no images"],
        ),
        ({"train-images-idx3-ubyte": b"<!DOCTYPE html><html>Not found</html>"}, ["HTML"]),
        ({}, ["not the published Fashion-MNIST", "--data FOLDER"]),
        ({"train-labels-idx1-ubyte": None}, ["lacks", "train-labels-idx1-ubyte"]),
    ],
)
def test_damaged_data_files_are_named(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, bytes | None], words: list[str],
) -> None:  # fmt: skip
    folder = tmp_path / "Daten für uns" / "fashion-mnist"
    folder.mkdir(parents=True)
    for name, content in {**GOOD, **changes}.items():
        if content is not None:
            (folder / name).write_bytes(content)
    monkeypatch.setenv("FREEDIVE_DATA", str(folder.parent))
    outcome = call("train", "mlp")
    assert outcome.code == 1
    assert all(word in outcome.error for word in words), outcome.error
    assert not Path("runs").exists()


def test_a_data_folder_that_is_missing_or_empty_is_no_reason_to_go_on_with_another(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, word in ((tmp_path / "none", "does not exist"), (tmp_path / "e", "empty")):
        (tmp_path / "e").mkdir(exist_ok=True)
        monkeypatch.setenv("FREEDIVE_DATA", str(folder))
        outcome = call("train", "mlp")
        assert outcome.code == 1
        assert word in outcome.error


def test_no_network_says_where_to_put_which_file(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    outcome = call("train", "mlp", "--data", "fashion-mnist")
    assert outcome.code == 1
    assert "train-images-idx3-ubyte" in outcome.error
    assert "FREEDIVE_DATA" in outcome.error


def test_a_run_name_that_exists_is_not_written_over(call: Call) -> None:
    arguments = ("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a")
    assert call(*arguments, "--quiet").code == 0
    before = {p: p.read_bytes() for p in Path("runs").rglob("*") if p.is_file()}
    outcome = call(*arguments)
    assert outcome.code == 2
    assert "resume" in outcome.error
    assert before == {p: p.read_bytes() for p in Path("runs").rglob("*") if p.is_file()}


def test_damaged_and_foreign_checkpoints_are_refused_and_nothing_changes(call: Call) -> None:
    for system in ("softmax-regression", "mlp"):
        call("train", system, *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    folder = Path("runs/softmax-regression/a/checkpoints")
    good = (folder / "last.safetensors").read_bytes()
    other = Path("runs/mlp/a/checkpoints/last.safetensors").read_bytes()
    torch.save({"model": torch.ones(2)}, "pickle.pt")
    record = Path("runs/softmax-regression/a/run.json").read_bytes()
    for content, word in (
        (good[:-100], "damaged"),
        (good[:-1] + bytes([good[-1] ^ 1]), "altered"),
        (other, "another model's"),
        (Path("pickle.pt").read_bytes(), "pickle"),
        (b"", "damaged"),
    ):
        for name in ("last", "best"):
            (folder / f"{name}.safetensors").write_bytes(content)
        for command in (("evaluate",), ("predict",), ("resume", "--max-epochs", 2)):
            outcome = call(command[0], "softmax-regression/a", *command[1:])
            assert outcome.code == 1
            assert word in outcome.error
        assert Path("runs/softmax-regression/a/run.json").read_bytes() == record
    shutil.rmtree(folder)
    assert "no checkpoint" in call("evaluate", "softmax-regression/a").error


def test_a_loss_that_becomes_infinite_names_step_parameter_and_cause(call: Call) -> None:
    outcome = call("train", "softmax-regression", *SMALL, "--lr", "1e38", "--name", "a")
    assert outcome.code == 1
    for word in ("step", "net.1", "learning rate", "1e+38"):
        assert word in outcome.error
    assert "diverged" in call("runs").out


@pytest.mark.parametrize("number", [28, 30])  # no space left, read-only
def test_a_disk_that_refuses_ends_in_one_line_and_keeps_the_last_checkpoint(
    call: Call, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import os

    arguments = ("train", "softmax-regression", *SMALL, "--name", "a", "--quiet")
    assert call(*arguments, "--max-epochs", 1).code == 0
    path = Path("runs/softmax-regression/a/checkpoints/last.safetensors")
    before = path.read_bytes()
    replace = os.replace

    def refuse(source: object, target: Path) -> None:
        if str(target).endswith("last.safetensors"):
            raise OSError(number, os.strerror(number))
        replace(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", refuse)
    outcome = call("resume", "softmax-regression/a", "--max-epochs", 2, "--quiet")
    assert outcome.code == 1
    assert "last.safetensors" in outcome.error
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["best.safetensors", "last.safetensors"]


def test_debug_shows_the_traceback(command: Call) -> None:
    outcome = command("--debug", "train", "nothing")
    assert "Traceback" in outcome.err


def test_paths_with_spaces_and_letters_and_a_locale_that_knows_neither(
    command: Call, tmp_path: Path
) -> None:
    outcome = command(
        "train", "softmax-regression", *SMALL, "--max-epochs", 1,
        "--runs-dir", "meine Läufe", "--name", "größe 1",
        PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="1",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "meine Läufe/softmax-regression/größe 1/curves.svg").exists()


def test_forty_columns_are_enough(command: Call) -> None:
    outcome = command("train", "mlp", *SMALL, "--max-epochs", 1, COLUMNS="40")
    assert outcome.code == 0, outcome.err


def test_predict_names_a_picture_that_is_none(call: Call, tmp_path: Path) -> None:
    call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--name", "a", "--quiet")
    (tmp_path / "text.png").write_text("no picture")
    assert "text.png" in call("predict", "softmax-regression/a", "text.png").error
    assert "none.png" in call("predict", "softmax-regression/a", "none.png").error
