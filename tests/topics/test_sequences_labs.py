"""The labs of the room: what they find, at their smallest, from the command line."""

import functools

import pytest

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.topics.sequences import (
    batches_lab,
    markov_lab,
    ngram_lab,
    prediction_lab,
    tokenizers_lab,
    zipf_lab,
)

LABS = {
    "k-step-prediction": (prediction_lab.k_step_prediction, {"max_epochs": 1}),
    "markov": (markov_lab.markov_models, {}),
    "tokenizers": (tokenizers_lab.tokenizers, {"text": "tales"}),
    "zipf": (zipf_lab.zipf, {"text": "tales"}),
    "ngram": (ngram_lab.ngram, {"text": "tales", "max_n": 3, "num_sampled": 20}),
    "sequence-batches": (batches_lab.sequence_batches, {"epochs": 20}),
}


@functools.cache
def report_of(id):
    """A lab's report with its smallest settings, made once."""
    lab, settings = LABS[id]
    return lab(**settings)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["k-step-prediction", "--tau", "0"], "tau wants a whole number from 1 to 100, got 0"),
        (["k-step-prediction", "--noise", "0"], "noise wants a number from 0.01 to 2, got 0"),
        (["markov", "--length", "8"], "length wants a whole number from 2 to 7, got 8"),
        (["zipf", "--text", "tales", "--first", "9", "--last", "9"], "first wants a rank below"),
        (["zipf", "--text", "tales", "--first", "9999", "--last", "99999"], "two ranks or more"),
        (["ngram", "--max-n", "9"], "max_n wants a whole number from 1 to 8, got 9"),
        (["ngram", "--discount", "2"], "discount wants a number from 0 to 1, got 2"),
        (["tokenizers", "--text", "tales", "--sentence", "…"], "sentence wants 1 to 100 letters"),
        (["sequence-batches", "--num-tokens", "10"], "wants a text of 11 tokens, got 10"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


def test_errors_grow_with_the_steps_ahead_and_shrink_with_the_lags():
    report = report_of("k-step-prediction")
    (rows,) = report.tables.values()
    assert [row["steps ahead"] for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    for lags in (1, 4, 16):
        assert rows[-1][f"least squares, τ = {lags}"] > 1.8 * rows[0][f"least squares, τ = {lags}"]
    nearest = [rows[0][f"least squares, τ = {lags}"] for lags in (1, 4, 16, 64)]
    assert nearest == sorted(nearest, reverse=True)
    assert nearest[-1] > 0.18  # the noise remains
    assert report.numbers["rows of the table"] == 996


def test_the_smallest_and_the_largest_settings_of_a_prediction():
    smallest = prediction_lab.k_step_prediction(tau=1, k=1, noise=2.0, max_epochs=1)
    assert [row["steps ahead"] for row in next(iter(smallest.tables.values()))] == [1]
    largest = prediction_lab.k_step_prediction(tau=100, k=200, noise=0.01, max_epochs=1)
    assert largest.numbers["rows of the table"] == 996


def test_a_markov_model_loses_nothing_from_its_order_on():
    report = report_of("markov")
    losses = report.tables["lost by a Markov model of order τ, KL in nats"]
    for order, row in enumerate(losses):
        for true_order in (0, 1, 2):
            lost = row[f"chain of order {true_order}"]
            assert (lost < 1e-12) is (order >= true_order)
    free = [row["no chain"] for row in losses]
    assert free == sorted(free, reverse=True)
    entropies = report.tables["entropy of each factor, nats"]
    for way in ("forwards", "backwards"):
        assert report.numbers[f"product {way} away from the joint"] < 1e-15
        assert sum(row[way] for row in entropies) == pytest.approx(
            report.numbers["entropy of a sequence, nats"]
        )
    smallest = markov_lab.markov_models(2, 2, seed=3)
    assert smallest.tables != markov_lab.markov_models(2, 2, seed=4).tables
    assert markov_lab.markov_models(5, 2).numbers["sequences"] == 25


def test_more_kinds_of_tokens_make_shorter_texts():
    report = report_of("tokenizers")
    rows = report.tables["one text in tokens"]
    lengths = [row["length of the text"] for row in rows]
    assert lengths == sorted(lengths, reverse=True)
    assert [row["unknown in the rest"] for row in rows[:-1]] == [0] * (len(rows) - 1)
    cuts = {row["as"]: row["tokens"].split("|") for row in report.tables["the sentence"]}
    assert "".join(cuts["characters"]) == "".join(cuts["pieces"])
    assert "".join(cuts["pieces"]).split("·") == cuts["words"]
    assert "made by code" in report.notes[0]
    assert "synthetic" in report.notes[0]


def test_a_sentence_is_cleaned_before_it_is_cut():
    report = tokenizers_lab.tokenizers("tales", "  The Time -- Traveller! ", vocab_size=2)
    assert report.numbers["words in the sentence"] == 3
    assert report.numbers["pieces in the sentence"] == len(" the time traveller ")


def test_slopes_fall_from_words_to_trigrams():
    report = report_of("zipf")
    slopes = [v for k, v in report.numbers.items() if k.startswith("slope of") and "ranks" in k]
    assert slopes == sorted(slopes, reverse=True)
    assert report.numbers["slope of the 10 most frequent words"] < slopes[0]
    rows = report.tables["the 10 most frequent"]
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert rows[0]["words"].startswith("the ")


def test_shorter_runs_step_in_for_those_that_were_not_seen():
    report = report_of("ngram")
    rows = report.tables["perplexity"]
    for rule in ("laplace", "interpolated", "discounted", "back-off"):
        told = [row[rule] for row in rows]
        assert told == sorted(told, reverse=True)  # three characters are not too many
        assert 1 < told[-1] < told[0] < 28
    own = [row[ngram_lab.OWN] for row in rows]
    assert own == sorted(own, reverse=True)
    assert own[-1] < rows[-1]["discounted"]  # it has seen what it is judged by
    shares = [row["held out and never seen"] for row in report.tables["what was seen"]]
    assert shares == sorted(shares)
    assert [len(row["text"]) for row in report.tables["told by each order"]] == [20] * 3


@pytest.mark.parametrize("tokenizer", ["word", "bpe"])
def test_words_and_pieces_are_counted_too(tokenizer):
    report = ngram_lab.ngram("tales", tokenizer, max_n=2, num_sampled=3)
    one, two = report.tables["perplexity"]
    assert two["discounted"] < one["discounted"] / 5
    assert report.numbers["reached by"].endswith("n = 2")


def test_the_batches_lab_shows_each_window_with_its_targets():
    report = report_of("sequence-batches")
    assert report.numbers["whole batches in each epoch"] == 3
    for method in ("random", "sequential"):
        rows = report.tables[f"{method}, the first epoch"]
        assert [(row["batch"], row["row"]) for row in rows] == [
            (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)
        ]  # fmt: skip
        for row in rows:
            inputs = [int(token) for token in row["inputs"].split()]
            assert [int(token) for token in row["targets"].split()] == [i + 1 for i in inputs]
    assert len(report.tables["overlapping, the first epoch"]) == batches_lab.LISTED
    for sizes in ((3, 1, 2), (200, 16, 12), (200, 1, 50)):
        assert batches_lab.sequence_batches(*sizes, epochs=1).figures


def test_the_wrong_sentence_is_told_how_long_it_was():
    with pytest.raises(UsageError, match="1 to 100 letters and spaces, got 202"):
        tokenizers_lab.tokenizers("tales", "ab" * 101)
