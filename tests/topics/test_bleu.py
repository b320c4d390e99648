"""The book's BLEU beside its own printed program, the standard one beside sacreBLEU."""

import collections
import math

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from freedive.core.errors import UsageError
from freedive.topics.seq2seq.bleu import SMOOTHING, bleu, corpus_bleu, matches, ngrams

SENTENCE = st.lists(st.sampled_from("abc"), max_size=7).map(" ".join)
CORPUS = st.lists(st.tuples(SENTENCE, SENTENCE), max_size=5)


def printed(pred_seq, label_seq, k):
    """Section 10.7.8 word for word."""
    pred_tokens, label_tokens = pred_seq.split(" "), label_seq.split(" ")
    len_pred, len_label = len(pred_tokens), len(label_tokens)
    score = math.exp(min(0, 1 - len_label / len_pred))
    for n in range(1, min(k, len_pred) + 1):
        num_matches, label_subs = 0, collections.defaultdict(int)
        for i in range(len_label - n + 1):
            label_subs[" ".join(label_tokens[i : i + n])] += 1
        for i in range(len_pred - n + 1):
            if label_subs[" ".join(pred_tokens[i : i + n])] > 0:
                num_matches += 1
                label_subs[" ".join(pred_tokens[i : i + n])] -= 1
        score *= math.pow(num_matches / (len_pred - n + 1), math.pow(0.5, n))
    return score


@settings(max_examples=200, deadline=None)
@given(SENTENCE.filter(bool), SENTENCE.filter(bool), st.integers(1, 6))
def test_the_books_bleu_is_the_printed_one(predicted, reference, k):
    assert bleu(predicted, reference, k) == pytest.approx(printed(predicted, reference, k))


@pytest.mark.parametrize(
    ("predicted", "reference", "k", "score"),
    [
        ("va !", "va !", 2, 1.0),
        ("j'ai perdu .", "j'ai perdu .", 2, 1.0),
        ("elle court .", "il est calme .", 2, 0.0),
        ("je suis chez moi .", "je suis chez moi .", 2, 1.0),
        ("", "va !", 2, 0.0),
        ("", "", 2, 0.0),
        ("va", "", 2, 0.0),
        ("a b c", "a b c d e f", 2, math.exp(-1)),
        ("a b", "a c", 1, math.sqrt(0.5)),
        ("a a a", "a b", 1, math.sqrt(1 / 3)),
    ],
)
def test_the_books_bleu_in_numbers(predicted, reference, k, score):
    assert bleu(predicted, reference, k) == pytest.approx(score)


def test_r27_a_perfect_sentence_of_two_words_has_two_scores_each_named():
    assert bleu("va !", "va !", 4) == 1.0
    assert corpus_bleu(["va !"], ["va !"]) == 0.0  # there are no four words in a row
    assert corpus_bleu(["va !"], ["va !"], max_order=2) == pytest.approx(1.0)


@settings(max_examples=300, deadline=None)
@given(CORPUS, st.sampled_from(sorted(SMOOTHING)))
def test_the_standard_bleu_is_sacrebleus(corpus, smoothing):
    predictions, references = [p for p, _ in corpus], [r for _, r in corpus]
    if not corpus:
        assert corpus_bleu(predictions, references, smoothing=smoothing) == 0.0
        return
    expected = sacrebleu.corpus_bleu(
        predictions, [references], tokenize="none", smooth_method=smoothing, force=True
    )
    found = corpus_bleu(predictions, references, smoothing=smoothing)
    assert found == pytest.approx(expected.score / 100, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    CORPUS.filter(bool), st.integers(1, 6), st.floats(0.01, 2), st.sampled_from(["floor", "add-k"])
)
def test_orders_and_values_are_sacrebleus(corpus, max_order, value, smoothing):
    predictions, references = [p for p, _ in corpus], [r for _, r in corpus]
    metric = sacrebleu.BLEU(tokenize="none", smooth_method=smoothing, smooth_value=value,
                            max_ngram_order=max_order, force=True)  # fmt: skip
    found = corpus_bleu(predictions, references, max_order, smoothing, value)
    expected = metric.corpus_score(predictions, [references]).score / 100
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_corpus_is_more_than_the_mean_of_its_sentences():
    predictions, references = ["a b c d", "x"], ["a b c d", "y"]
    each = [corpus_bleu([p], [r]) for p, r in zip(predictions, references, strict=True)]
    assert each == [pytest.approx(1.0), 0.0]
    assert corpus_bleu(predictions, references) == pytest.approx((4 / 5) ** 0.25)


def test_each_ngram_of_the_reference_matches_once():
    assert matches(["the", "the", "the", "cat"], ["the", "cat", "the"], 1) == 3
    assert matches(["a", "b"], ["a", "b"], 3) == 0
    assert ngrams("abab", 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not ngrams("", 1)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: bleu("a", "a", 0), "k wants a whole number of at least 1, got 0"),
        (lambda: corpus_bleu(["a"], ["a"], 0), "max_order wants a whole number of at least 1"),
        (lambda: corpus_bleu(["a"], []), "got 1 translations and 0 references"),
        (lambda: corpus_bleu(["a"], ["a"], smoothing="expo"), "did you mean 'exp'"),
    ],
)
def test_a_bad_argument_gets_one_line(call, told):
    with pytest.raises(UsageError, match=told) as error:
        call()
    assert "\n" not in str(error.value)
