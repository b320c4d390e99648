"""The labs of the room: what they find, at their smallest, from the command line."""

import math

import pytest

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.topics.generalization import (
    bounds_lab,
    double_descent_lab,
    k_fold_lab,
    label_noise_lab,
    neighbours_lab,
    polynomial_lab,
    weight_decay_lab,
)

LABS = {
    "polynomial-capacity": (polynomial_lab.polynomial_capacity, {"repeats": 3, "max_degree": 5}),
    "k-fold": (k_fold_lab.k_fold_lab, {"num_folds": 4, "max_degree": 4}),
    "weight-decay": (weight_decay_lab.weight_decay, {"num_inputs": 12, "max_epochs": 2}),
    "test-set-statistics": (bounds_lab.statistics_of_test_sets, {"margin": 0.05, "looks": 30}),
    "double-descent": (double_descent_lab.double_descent, {"num_train": 20, "repeats": 1}),
    "nearest-neighbours": (neighbours_lab.nearest_neighbours, {"num_train": 30, "k": 3}),
    "label-noise": (label_noise_lab.label_noise,
                    {"num_train": 40, "width": 16, "max_epochs": 3}),
}  # fmt: skip


@pytest.mark.parametrize("id", ["k-fold", "test-set-statistics", "nearest-neighbours"])
def test_another_seed_is_another_experiment(id):
    run, small = LABS[id]
    assert run(**small, seed=1).numbers != run(**small, seed=2).numbers


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["polynomial-capacity", "--max-degree", "12", "--num-train", "12"],
         "degree 12 wants at least 13 examples, got num_train 12"),
        (["polynomial-capacity", "--max-degree", "21"], "from 2 to 20, got 21"),
        (["polynomial-capacity", "--noise", "-1"], "noise wants a number of at least 0, got -1"),
        (["k-fold", "--num-folds", "30", "--num-examples", "23"],
         "30 folds want at least 30 examples, got 23"),
        (["k-fold", "--num-folds", "1"], "num_folds wants a whole number from 2 to 500, got 1"),
        (["k-fold", "--num-examples", "6", "--num-folds", "2"], "got 3 in a training part"),
        (["weight-decay", "--lambd", "-3"], "lambd wants a number of at least 0, got -3"),
        (["weight-decay", "--lr", "0"], "lr wants a number above 0"),
        (["test-set-statistics", "--error", "1.5"], "error wants a number from 0 to 1, got 1.5"),
        (["test-set-statistics", "--confidence", "1"], "confidence wants a number from 0.5"),
        (["test-set-statistics", "--margin", "0"], "margin wants a number from 0.002"),
        (["double-descent", "--ridge", "0"], "ridge wants a number above 0"),
        (["double-descent", "--num-train", "5"], "num_train wants a whole number from 10"),
        (["nearest-neighbours", "--k", "300"], "k wants at most the 120 examples, got 300"),
        (["nearest-neighbours", "--flip", "2"], "flip wants a number from 0 to 1, got 2"),
        (["label-noise", "--flip", "0.7"], "flip wants a number from 0 to 0.5, got 0.7"),
        (["label-noise", "--patience", "0"], "patience wants a whole number from 1"),
    ],
)  # fmt: skip
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


def test_capacity_is_u_shaped_and_its_training_error_falls():
    report = polynomial_lab.polynomial_capacity(repeats=10, max_degree=8)
    assert report.numbers["training error never rises"] is True
    assert report.numbers["best degree"] in (3, 4, 5)
    rows = report.tables["by degree"]
    assert (rows[1]["it"], rows[3]["it"], rows[8]["it"]) == ("underfits", "fits", "overfits")
    assert [row["weights"] for row in rows] == list(range(1, 10))
    sizes = report.tables["by examples"]
    assert sizes[-1]["degree 8"] < 0.1 < sizes[1]["degree 8"]
    assert sizes[-1]["degree 1"] > 0.15  # more examples do not mend a line


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_capacity_without_noise_and_with_the_fewest_examples(noise):
    report = polynomial_lab.polynomial_capacity("cubic", 3, 4, noise, 1)
    assert report.tables["by degree"][3]["training error"] < 1e-15
    assert all(math.isfinite(row["error on unseen"]) for row in report.tables["by degree"])


@pytest.mark.parametrize(("n", "k"), [(23, 5), (12, 12), (40, 3)])
def test_the_folds_of_the_lab_judge_everyone_once(n, k):
    report = k_fold_lab.k_fold_lab(n, k, 4)
    assert sum(report.numbers["folds"]) == report.numbers["examples that judge"] == n
    assert report.numbers["examples that judge twice"] == 0
    chosen = report.numbers["chosen degree"]
    rows = report.tables[f"the folds of degree {chosen}"]
    assert [row["round"] for row in rows] == [*range(1, k + 1), "average"]
    weighed = zip(rows[:-1], report.numbers["folds"], strict=True)
    mean = sum(row["validation error"] * size for row, size in weighed) / n
    assert rows[-1]["validation error"] == pytest.approx(mean)
    by_degree = [row["validation error"] for row in report.tables["by degree"]]
    assert min(by_degree) == by_degree[chosen] == pytest.approx(mean)


def test_weight_decay_helps_and_its_steps_add_up():
    report = weight_decay_lab.weight_decay()
    numbers = report.numbers
    assert numbers["validation loss with λ"] < numbers["validation loss without"]
    assert 0.001 < numbers["½‖w‖² with λ"] < 0.0021
    assert numbers["½‖w‖² with λ"] == pytest.approx(numbers["‖w‖ with λ"] ** 2 / 2)
    for row in report.tables["one step by hand"]:
        assert row["after"] == pytest.approx(0.97 * row["before"] - 0.01 * row["gradient"])


def test_weight_decay_without_a_penalty_or_with_one_that_flips_signs():
    report = weight_decay_lab.weight_decay(lambd=0.0, num_inputs=1, num_train=2, max_epochs=1)
    assert len(report.tables["by λ"]) == 1
    report = weight_decay_lab.weight_decay(lambd=150.0, num_inputs=3, max_epochs=1)
    assert any("turns each weight's sign" in note for note in report.notes)


def test_the_books_numbers_of_test_examples():
    report = bounds_lab.statistics_of_test_sets(looks=50)
    rows = {(row["by"], row["sides"]): row for row in report.tables["examples for ±0.01"]}
    assert rows["one deviation", "two"]["examples"] == 2500
    assert rows["normal limit", "two"]["examples"] == 9604
    assert rows["Hoeffding", "one"]["examples"] == 14_979
    assert rows["Hoeffding", "two"]["examples"] == 18_445
    assert report.numbers["false alarm among 20 tests"] == pytest.approx(0.6415, abs=1e-4)
    for row in rows.values():
        assert row["missed, exactly"] <= row["missed, Hoeffding"]


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_a_classifier_without_chance_is_drawn_all_the_same(error):
    report = bounds_lab.statistics_of_test_sets(margin=0.1, error=error, looks=1, num_tests=1)
    assert all(row["missed, exactly"] == 0 for row in report.tables["examples for ±0.1"])


def test_the_error_peaks_where_features_are_as_many_as_examples():
    report = double_descent_lab.double_descent(num_train=40, repeats=3)
    rows = {row["features"]: row for row in report.tables["by width"]}
    assert max(rows, key=lambda k: rows[k]["test error"]) == 40
    assert report.numbers["first width without training error"] == 40
    assert report.numbers["highest error with the penalty"] < rows[40]["test error"]


def test_one_neighbour_remembers_and_many_vote():
    report = neighbours_lab.nearest_neighbours()
    assert report.numbers["training error of one neighbour"] == 0
    last = report.tables["by examples"][-1]
    assert last["√n neighbours"] < 0.25 < last["one neighbour"]
    assert neighbours_lab.nearest_neighbours(2, 1, 0.0).numbers["its limit 2ε(1 − ε)"] == 0
    neighbours_lab.nearest_neighbours(2, 2, 1.0, "maximum", 0.1)


def test_right_labels_are_learnt_first_and_none_may_be_wrong():
    report = label_noise_lab.label_noise(num_train=200, width=128, max_epochs=15)
    rows = report.tables["by epoch"]
    assert rows[3]["right labels"] > rows[3]["wrong labels"] + 0.2
    clean = label_noise_lab.label_noise(flip=0.0, num_train=40, width=8, max_epochs=2)
    assert len(clean.tables["early stopping"]) == 1
    assert clean.tables["by epoch"][0]["wrong labels"] is None


def test_functions_refuse_what_the_form_cannot_know():
    with pytest.raises(UsageError, match="pass a smaller k"):
        neighbours_lab.nearest_neighbours(5, 6)
    with pytest.raises(UsageError, match="pass a smaller max_degree"):
        polynomial_lab.polynomial_capacity(max_degree=5, num_train=5)
