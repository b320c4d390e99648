"""freedive lab: the list, a run with its files, flags from the signature, one-line complaints."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from freedive import catalog
from freedive.catalog import LABS, Lab
from freedive.cli.forms import arguments
from freedive.cli.labs import topic_of
from freedive.core.hyperparameters import Count
from freedive.core.report import Report

FAST = ("lab", "blocks", "--num-draws", 2)


@pytest.fixture
def toy_lab() -> Iterator[Lab]:
    """A lab whose report has one of everything, edges included."""

    def toy(size: Count = 2, word: str = "a b") -> Report:
        """A lab of the tests.

        Args:
            size: how many rows.
            word: in every row.
        """
        rows = [{"word": word, "i": i} for i in range(size)]
        return Report(
            {"size": size, "nothing": float("nan"), "many": list(range(20))},
            {"rows": rows, "empty": []},
            {"drawing": "<svg/>"},
            ["a note"],
        )

    LABS["toy"] = Lab("toy", "1.1", toy)
    yield LABS["toy"]
    del LABS["toy"]


def test_the_list_has_every_lab(call: Call) -> None:
    rows = json.loads(call("lab", "--json").out)["labs"]
    assert {"blocks", "parameters", "custom-layers", "save-load"} <= {row["lab"] for row in rows}
    text = call("lab").out
    assert all(row["lab"] in text for row in rows)


def test_list_shows_the_labs_of_a_room(call: Call) -> None:
    found = json.loads(call("list", "building-blocks", "--json").out)
    assert {row["lab"] for row in found["labs"]} == {
        "blocks", "parameters", "custom-layers", "save-load",
    }  # fmt: skip
    assert found["systems"] == []
    assert "save-load" in call("list", "building_blocks").out
    assert json.loads(call("list", "gated-rnn", "--json").out)["labs"] == []
    assert "did you mean 'building_blocks'" in call("list", "buildingblocks").error


def test_a_lab_prints_its_report_and_writes_its_files(call: Call, tmp_path: Path) -> None:
    done = call(*FAST)
    assert done.code == 0
    (folder,) = (tmp_path / "runs" / "labs" / "blocks").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == ["distances.svg", "report.json"]
    assert "<svg" in (folder / "distances.svg").read_text()
    assert f"{folder.relative_to(tmp_path)}/report.json" in done.out
    kept = json.loads((folder / "report.json").read_text())
    for title, rows in kept["tables"].items():
        assert title in done.out
        assert all(str(row["block"]) in done.out for row in rows)
    assert all(note in done.out for note in kept["notes"])


def test_a_second_run_gets_a_folder_of_its_own(call: Call, tmp_path: Path) -> None:
    for _ in range(3):
        assert call("lab", "save-load").code == 0
    assert len(list((tmp_path / "runs" / "labs" / "save-load").iterdir())) == 3


def test_flags_reach_the_function_and_the_report_is_a_function_of_the_seed(call: Call) -> None:
    first, second, other = (
        json.loads(call(*FAST, "--num-blocks", 1, "--seed", seed, "--out", "x", "--json").out)
        for seed in (3, 3, 4)
    )
    assert first["settings"]["num_blocks"] == 1
    assert len(first["numbers"]["distances"]) == 2
    assert first == second
    assert first["numbers"] != other["numbers"]
    assert first["files"] == ["x/report.json", "x/distances.svg"]


def test_everything_in_a_report_is_shown(call: Call, toy_lab: Lab, tmp_path: Path) -> None:
    done = call("lab", "toy", "--word", "schön", "--size", 1, "--out", tmp_path / "an Ort")
    assert "schön" in done.out
    assert "0, 1, 2, 3, 4, 5, 6, 7, …" in done.out
    assert "empty: nothing" in done.out
    assert (tmp_path / "an Ort" / "drawing.svg").read_text() == "<svg/>"
    found = json.loads(call("lab", "toy", "--json").out)
    assert found["numbers"] == {"size": 2, "nothing": None, "many": list(range(20))}


def test_help_has_every_flag_with_its_meaning_and_bounds(call: Call, toy_lab: Lab) -> None:
    done = call("lab", "toy", "--help")
    assert done.code == 0
    words = " ".join(done.out.replace("│", " ").split())
    assert "how many rows (a whole number of at least 1) (default: 2)" in words
    assert all(flag in words for flag in ("--word", "--out", "--json", "A lab of the tests."))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["blok"], ["no lab", "'blok'", "did you mean 'blocks'"]),
        (["blocks", "--num-branches", "1"], ["num_branches", "from 2 to 100", "got 1"]),
        (["blocks", "--num-hiddens", "many"], ["--num-hiddens", "whole number", "many"]),
        (["blocks", "--num-hidden", "3"], ["--num-hidden", "did you mean --num-hiddens"]),
        (["blocks", "parameters"], ["no use for 'parameters'"]),
        (["parameters", "--sigma", "nan"], ["sigma", "above 0", "nan"]),
        (["--jsn"], ["--jsn", "did you mean --json"]),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    call: Call, tmp_path: Path, words: list[str], told: list[str]
) -> None:
    done = call("lab", *words)
    assert done.code == 2
    assert all(part in done.error for part in told), done.error
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "choose another folder" in call(*FAST, "--out", "file").error
    assert "part of the path is a file" in call(*FAST, "--out", "file/x").error
    (tmp_path / "runs").write_text("mine")
    assert "part of the path is a file" in call(*FAST).error
    assert (tmp_path / "file").read_text() == (tmp_path / "runs").read_text() == "mine"


def test_a_lab_that_gives_no_report_is_told(call: Call, toy_lab: Lab) -> None:
    LABS["toy"] = Lab("toy", "1.1", lambda: 3)
    assert "the lab 'toy' gives int: let it return a Report" in call("lab", "toy").error


@pytest.mark.parametrize("entry", catalog.labs(), ids=lambda entry: entry.id)
def test_every_lab_says_what_it_is_and_what_its_flags_mean(entry: Lab) -> None:
    assert entry.section[0].isdigit()
    assert entry.title.endswith(".")
    assert f".{topic_of(entry)}." in entry.run.__module__
    flags = {name for name, *_ in arguments(entry.run, {}, set())}
    for name, parameter in inspect.signature(entry.run).parameters.items():
        assert name in flags
        assert name not in ("out", "json"), "taken by the command"
        assert parameter.default is not inspect.Parameter.empty, name
        assert f"{name}:" in (inspect.getdoc(entry.run) or ""), name
