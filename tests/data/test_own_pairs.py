"""Pairs of one's own: a sentence, a tab, its translation, on each line of a file."""

from pathlib import Path

import pytest

from freedive.core.errors import DataError
from freedive.core.files import write_whole
from freedive.data.fra_eng import OwnPairs

PAIRS = [(f"Das ist Haus {i}.", f"That is house {i}!") for i in range(40)]
LINES = [f"{source}\t{target}" for source, target in PAIRS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mes phrases à moi" / "paires.txt"
    write_whole(file, "\n".join(LINES))
    return file


def pairs_of(path: Path, content: str | bytes | list[str]) -> list[tuple[str, str]]:
    if isinstance(content, list):
        content = "\n".join(content)
    write_whole(path, content)
    return OwnPairs(path).read()


def test_all_pairs_but_those_for_validation_are_learnt_from(path: Path) -> None:
    data = OwnPairs(path, num_val=8)
    train, val = data.pairs
    assert (len(train), len(val)) == (32, 8)
    expected = [(s.lower().replace(".", " ."), t.lower().replace("!", " !")) for s, t in PAIRS]
    assert sorted(train + val) == sorted(expected)
    assert val != expected[-8:]  # drawn at random
    assert OwnPairs(str(path), num_val=8).pairs == (train, val)
    assert OwnPairs(path, num_val=8, split_seed=1).pairs != (train, val)
    assert data.model_arguments()["num_steps"] == 9
    assert not data.synthetic


def test_a_third_column_and_blank_lines_are_passed_over(path: Path) -> None:
    lines = [
        "",
        LINES[0] + "\tCC-BY 2.0 (France) Attribution: tatoeba.org",
        "  ",
        *LINES[1:],
        "\t",
        "",
    ]
    assert pairs_of(path, lines) == PAIRS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_other_systems_are_read(path: Path, encoding: str, end: str) -> None:
    content = end.join(["Größe\tTaille", *LINES[1:], ""]).encode(encoding)
    assert pairs_of(path, content) == [("Größe", "Taille"), *PAIRS[1:]]


def test_only_a_line_feed_ends_a_line(path: Path) -> None:
    """Python's splitlines would also split at these."""
    strange = "".join(map(chr, (0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)))
    sentence = strange.join("abcdefgh") + strange
    assert pairs_of(path, f"{sentence}\tune phrase\n") == [(sentence, "une phrase")]


@pytest.mark.parametrize(
    "line",
    [
        "no tab at all",
        "alone\t",
        "\talone",
        "alone\t \tthird",
        "one\ttwo\tthree\tfour",
        "long " * 5000,
    ],
)
def test_a_line_that_is_no_pair_is_named(path: Path, line: str) -> None:
    with pytest.raises(DataError) as caught:
        pairs_of(path, [LINES[0], "", line, *LINES[1:]])
    text = str(caught.value)
    assert text.startswith(f"{path}, line 3: a sentence, a tab and its translation are wanted")
    assert text.endswith(f"got {line[:40]!r}")
    assert "\n" not in text
    assert len(text) < len(str(path)) + 250


def test_a_file_that_holds_nothing_is_refused(path: Path) -> None:
    for content, fault in {
        b"": "is empty: give",
        b"\n \t \n": "is empty: give",
        "Größe\tTaille".encode("latin1"): r"is not UTF-8 \(byte 2\): save it",
    }.items():
        with pytest.raises(DataError, match=fault) as caught:
            pairs_of(path, content)
        assert str(path) in str(caught.value)


def test_a_place_without_pairs_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="is a folder: give one text file"):
        _ = OwnPairs(path.parent).pairs
    with pytest.raises(DataError, match="does not exist"):
        _ = OwnPairs(path.with_name("no")).pairs


def test_too_few_pairs_say_which_setting_is_too_large(path: Path) -> None:
    with pytest.raises(DataError, match=r"own-pairs gives 0 training and 40 validation.*num_val"):
        _ = OwnPairs(path).pairs


def test_pairs_that_have_moved_are_the_same(path: Path, tmp_path: Path) -> None:
    before = OwnPairs(path, num_val=8)
    moved = path.rename(tmp_path / "b.txt")
    after = OwnPairs(moved, num_val=8)
    assert before.hparams["file"] == str(path)
    with pytest.raises(DataError, match="does not exist"):  # nothing was read before it was needed
        before.fingerprint()
    again = OwnPairs(moved, num_val=8)
    assert after.fingerprint() == again.fingerprint()
    assert str(tmp_path) not in after.fingerprint()
    write_whole(path, moved.read_bytes())
    assert before.fingerprint() == after.fingerprint()
