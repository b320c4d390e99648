"""What the book says about BLEU and about searches, as checks (sections 10.7.8 and 10.8)."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from freedive.catalog import claim, erratum
from freedive.core.random import generator
from freedive.topics.seq2seq.bleu import bleu, corpus_bleu
from freedive.topics.seq2seq.decoding import (
    Trace,
    beam_search,
    exhaustive_search,
    greedy_search,
)
from freedive.topics.seq2seq.tables import BOOK_GIVEN, Tables

Evidence = Iterator[tuple[Any, ...]]
STEPS = 5
# of five words: what makes two beams go the way that section 10.8.3 draws
DRAWN = {
    "": {"A": 0.4, "C": 0.35},
    "A": {"B": 0.8},
    "C": {"E": 0.8},
    "A B": {"D": 0.8},
    "C E": {"D": 0.8},
}


def languages(number: int = 1000) -> Tables:
    """Languages of three words at random."""
    return Tables.drawn(number, 3, STEPS, 1.0, generator(0))


@claim("10.7.8", "BLEU is 1 for equal sentences, 0 where no pair of words matches", "002b C68")
def bleu_of_the_table() -> Evidence:
    """The four printed translations at k = 2, with the scores that stand beside them."""
    for found, reference, score in (
        ("va !", "va !", 1.0),
        ("j'ai perdu .", "j'ai perdu .", 1.0),
        ("elle court .", "il est calme .", 0.0),
        ("je suis chez moi .", "je suis chez moi .", 1.0),
    ):
        yield bleu(found, reference, 2), score


@claim(
    "10.7.8", "a prediction that is too short is scaled by exp(1 − label/prediction)", "002b C68"
)
def brevity_penalty() -> Evidence:
    """Half of a sentence; one that is too long is scaled by nothing."""
    yield bleu("a b c", "a b c d e f", 2), math.exp(1 - 6 / 3), 1e-12
    yield bleu("a b c d", "a b", 1), (2 / 4) ** 0.5, 1e-12


@claim(
    "10.7.8", "the example A, B, C, D, E, F and A, B, B, C, D has p = 4/5, 3/4, 1/3, 0", "002b C68"
)
def precisions_of_the_example() -> Evidence:
    """One order after the other, from the scores at k and at k − 1."""
    found, label = "A B B C D", "A B C D E F"
    scores = [math.exp(1 - 6 / 5)] + [bleu(found, label, k) for k in (1, 2, 3, 4)]
    for n, p in enumerate((4 / 5, 3 / 4, 1 / 3, 0), 1):
        yield scores[n] / scores[n - 1], p ** (0.5**n), 1e-12


@erratum(
    "10.7.8",
    "the exponent 1/2ⁿ shrinks with n: a match of more words counts less, not more",
    printed="longer n-grams get more weight, for p^(1/2ⁿ) grows with n when p is fixed",
    source="002b E45",
)
def weights_of_the_orders() -> Evidence:
    """What halving one precision leaves of the score, order by order; the standard: ½^¼ each."""
    left = [0.5 ** (0.5**n) for n in (1, 2, 3, 4)]
    yield left == sorted(left), True
    yield left[0], math.sqrt(0.5), 1e-12
    words, halves = "a b c d e f g h", "a b c d x y z w"
    yield bleu(halves, words, 1), left[0], 1e-12
    yield corpus_bleu([halves], [words], max_order=1), 0.5, 1e-12


@claim(
    "10.8.1", "0.5·0.4·0.4·0.6 = 0.048 is what greedy search finds, and 0.054 is better", "002b C70"
)
def greedy_is_not_the_best() -> Evidence:
    """The book's example; two beams find the better one, as does the search of all."""
    language = Tables.given(BOOK_GIVEN)
    task = language.task(4)
    greedy, beam = greedy_search(task), beam_search(task, 2)
    every = exhaustive_search(task, vocab_size=4)
    yield greedy.log_probs[0, 0].exp(), 0.048, 1e-12
    yield language.text(greedy.tokens[0, 0]), "A B C <eos>"
    for better in (beam, every):
        yield better.log_probs[0, 0].exp(), 0.054, 1e-12
        yield language.text(better.tokens[0, 0]), "A C B <eos>"


@claim("10.8.2", "10,000 words and 10 steps: 10⁴⁰ sequences, and 10⁵ for greedy search", "002b C70")
def costs() -> Evidence:
    """Logarithms of the book's numbers, and the law |Y|^T′ counted where that can be done."""
    words, steps = 10_000, 10
    yield math.log10(words**steps), 40.0, 1e-9
    yield math.log10(words * steps), 5.0, 1e-9
    for vocab, length in ((2, 3), (4, 4), (3, 5)):
        yield len(torch.cartesian_prod(*[torch.arange(vocab)] * length)), vocab**length


@claim("10.8.3", "one beam is greedy search", "002b C71")
def one_beam() -> Evidence:
    """A thousand languages: sequences and their probabilities."""
    task = languages().task(STEPS)
    one, greedy = beam_search(task, beam=1), greedy_search(task)
    yield one.tokens, greedy.tokens
    yield one.log_probs, greedy.log_probs, 1e-12


@claim("10.8.3", "|Y|^(T′ − 1) beams are exhaustive search", "002b C71")
def all_beams() -> Evidence:
    """Twenty languages of four tokens, sequences of four."""
    task = Tables.drawn(20, 3, 4, 1.0, generator(1)).task(4)
    wide, every = beam_search(task, beam=4**3), exhaustive_search(task, vocab_size=4)
    yield wide.tokens[:, 0], every.tokens[:, 0]
    yield wide.scores[:, 0], every.scores[:, 0], 1e-12


@claim("10.8.3", "two beams are usually better than one, but not always", "002b C71")
def wider_is_usually_better() -> Evidence:
    """The share of a thousand languages in which they find more, and in which they find less."""
    task = languages().task(STEPS)
    gain = beam_search(task, beam=2).scores[:, 0] - greedy_search(task).scores[:, 0]
    yield float((gain > 1e-9).double().mean()), (0.15, 0.35)
    yield float((gain < -1e-9).double().mean()), (0.0005, 0.01)


@claim("10.8.3", "a beam search scores at most k·|Y|·T′ continuations", "002b C72")
def number_of_scores() -> Evidence:
    """The most of a thousand languages, as a share of that bound."""
    task = languages().task(STEPS)
    for beam in (1, 2, 4, 8):
        most = int(beam_search(task, beam=beam).scored.max())
        yield most / (beam * 4 * STEPS), (0.5, 1.0)


@claim(
    "10.8.3", "two beams and three steps have six candidates: A, C, AB, CE, ABD, CED", "002b C72"
)
def six_candidates() -> Evidence:
    """What is kept at each step of a language that goes the way of the figure."""
    language = Tables.given(DRAWN, ("A", "B", "C", "D", "E", "<eos>"), max_len=3)
    trace: Trace = []
    beam_search(language.task(3), beam=2, trace=trace)
    kept = []
    for prefixes, _, totals, places in trace:
        parents, tokens = places[0] // totals.shape[-1], places[0] % totals.shape[-1]
        rows = torch.cat([prefixes[0, parents], tokens[:, None]], dim=1)
        kept += [language.text(row).replace(" ", "") for row in rows]
    yield " ".join(kept), "A C AB CE ABD CED"
