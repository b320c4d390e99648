"""The labs of the room: what they find, at their smallest, from the command line."""

import pytest
import torch

from freedive.cli.main import main
from freedive.core.random import generator
from freedive.topics.seq2seq import data_lab, decoding_lab
from freedive.topics.seq2seq.decoding import beam_search
from freedive.topics.seq2seq.search_tree import Branch, Tree, branches, heights, leaves
from freedive.topics.seq2seq.tables import Tables


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["decoding", "--words", "9"], "words wants a whole number from 1 to 4, got 9"),
        (["decoding", "--beam", "0"], "beam wants a whole number from 1 to 16, got 0"),
        (["decoding", "--alpha", "-1"], "alpha wants a number from 0 to 2, got -1"),
        (["translation-data", "--sentences", "0"], "sentences wants a whole number from 1 to 12"),
        (["translation-data", "--num-steps", "3"], "or a larger num_steps"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) != 0
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {"words": 1, "steps": 1, "beam": 16, "language": "random"},
        {"words": 4, "steps": 2, "beam": 1, "language": "random", "alpha": 0.0},
        {"sharpness": 0.0, "languages": 1, "language": "random"},
    ],
)
def test_the_smallest_and_the_evenest_languages_are_drawn(settings, tmp_path):
    report = decoding_lab.decoding(**{"languages": 5, **settings})
    widths = next(rows for title, rows in report.tables.items() if "at random" in title)
    assert all(0 <= row["best found"] <= 1 and row["score lost"] < 9 for row in widths)
    assert len(report.save(tmp_path)) == 3


def test_the_books_example_stands_in_the_report():
    report = decoding_lab.decoding(languages=10)
    assert list(report.numbers.values()) == pytest.approx([0.048, 0.054, 0.054])
    costs = next(reversed(report.tables.values()))
    assert [row["continuations"] for row in costs] == ["1e+05", "2e+05", "1e+40"]
    rows = {row["search"]: row for row in report.tables["three searches"]}
    assert rows["greedy"]["sequence"] == "A B C <eos>"
    assert rows["beam 2"]["sequence"] == rows["exhaustive"]["sequence"] == "A C B <eos>"
    assert [rows[name]["continuations scored"] for name in rows] == [16, 28, 160]


def test_a_tree_holds_each_scored_sequence_once_with_its_probability():
    language, trace = Tables.drawn(3, 2, 3, 1.0, generator(0)), []
    found = beam_search(language.task(3), beam=2, trace=trace)
    for row in range(3):
        tree = branches(trace, row)
        assert len({branch.path for branch in tree}) == len(tree) == int(found.scored[row])
        for branch in tree:
            text = " ".join(language.words[token] for token in branch.path)
            exact = language.probability(text, row)
            assert torch.tensor(branch.log_prob).exp().item() == pytest.approx(exact, rel=1e-5)
        kept = {branch.path for branch in tree if branch.kept}
        parents = {branch.path[:-1] for branch in tree} - {()}
        assert parents <= kept


def test_parents_stand_in_the_middle_of_their_children():
    paths = [(0,), (1,), (0, 0), (0, 1), (0, 2)]
    tree = Tree([Branch(path, 0.0, True) for path in paths], (0, 1))
    assert leaves(tree) == [(0, 0), (0, 1), (0, 2), (1,)]
    at = heights(tree)
    assert at[0, 0] > at[0, 1] > at[0, 2] > at[1,]
    assert at[0,] == pytest.approx(at[0, 1])
    assert at[()] == pytest.approx((at[0,] + at[1,]) / 2)


def test_the_data_lab_tells_what_the_arrays_hold():
    report = data_lab.translation_data(num_pairs=600, sentences=2, num_steps=12)
    steps = {row["step"]: row for row in report.tables["one pair, step by step"]}
    numbers, row = (steps[name]["target"].split() for name in ("numbers", "row"))
    assert row[: len(numbers)] == numbers
    assert len(row) == 12
    assert steps["decoder input"]["target"].split()[1:] == row[:-1]
    assert steps["length"]["source"] == len(steps["numbers"]["source"].split())
    assert steps["raw"]["source"] != steps["clean"]["source"]
    assert 0 < report.numbers["padding in the training labels"] < 1
