"""The searches beside slow ones that go through lists of Python, on languages made of tables."""

import itertools
import math

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.seq2seq.decoding import (
    all_sequences,
    beam_search,
    exhaustive_search,
    greedy_search,
    select,
)
from freedive.topics.seq2seq.tables import BOOK_GIVEN, Tables

LENGTH = 4


def tables(number=20, num_words=3, seed=0, sharpness=1.0):
    return Tables.drawn(number, num_words, LENGTH, sharpness, generator(seed))


def searched(search, language, max_len=LENGTH, **more):
    return search(language.task(max_len), **more)


def exhaustively(language, **more):
    return searched(exhaustive_search, language, vocab_size=len(language.words), **more)


def score(language, table, sequence, alpha):
    """By hand, from the table alone."""
    total = 0.0
    for t, token in enumerate(sequence):
        row = language.number([language.words[i] for i in sequence[:t]])
        total += math.log(language.probs[table, row, token])
    return total / len(sequence) ** alpha


def slow_beam(language, table, beam, alpha):
    """The beams of one table as lists of tokens, the best first."""
    eos, kept = language.eos, [[]]
    for _ in range(LENGTH):
        continued = []
        for sequence in kept:
            if sequence and sequence[-1] == eos:
                continued.append(sequence)
            else:
                continued += [[*sequence, token] for token in range(len(language.words))]
        continued.sort(key=lambda s: -score(language, table, s, alpha))
        kept = continued[:beam]
    return kept


def cut(tokens, language):
    """A row up to its <eos>, which stays."""
    row = tokens.tolist()
    return row[: row.index(language.eos) + 1] if language.eos in row else row


@pytest.mark.parametrize("alpha", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("beam", [1, 2, 3, 7])
def test_beams_are_those_of_a_slow_loop(beam, alpha):
    language = tables()
    found = searched(beam_search, language, beam=beam, alpha=alpha)
    for i in range(len(language.probs)):
        expected = slow_beam(language, i, beam, alpha)
        rows = [cut(row, language) for row in found.tokens[i]]
        assert rows == expected
        assert found.lengths[i].tolist() == [len(row) for row in expected]
        scores = [score(language, i, row, alpha) for row in expected]
        assert found.scores[i].tolist() == pytest.approx(scores)


@pytest.mark.parametrize("alpha", [0.0, 0.75])
def test_exhaustive_search_finds_the_best_of_all(alpha):
    language = tables(5)
    found = exhaustively(language, alpha=alpha)
    words = range(len(language.words))
    every = {
        tuple(cut(torch.tensor(row), language)) for row in itertools.product(words, repeat=LENGTH)
    }
    assert found.tokens.shape[1] == len(every)
    for i in range(5):
        ranked = sorted(every, key=lambda s: -score(language, i, s, alpha))
        assert [tuple(cut(row, language)) for row in found.tokens[i, :20]] == ranked[:20]
        assert found.log_probs[i].exp().sum() == pytest.approx(1.0)


def test_c71_one_beam_is_greedy_search():
    language = tables(200)
    one, greedy = searched(beam_search, language, beam=1), searched(greedy_search, language)
    for name in ("tokens", "lengths", "log_probs", "scores", "scored"):
        assert torch.equal(getattr(one, name), getattr(greedy, name)), name


def test_c71_a_beam_as_wide_as_all_sequences_is_exhaustive_search():
    language = tables(50)
    wide = searched(beam_search, language, beam=len(language.words) ** (LENGTH - 1))
    every = exhaustively(language)
    assert torch.equal(wide.tokens[:, 0], every.tokens[:, 0])
    assert torch.allclose(wide.scores[:, 0], every.scores[:, 0])


def test_more_beams_than_there_are_sequences_find_each_once():
    language = tables(3, num_words=1)
    found = searched(beam_search, language, max_len=2, beam=9)
    every = exhaustively(language, max_len=2)
    real = found.log_probs[0].isfinite()
    assert int(real.sum()) == every.tokens.shape[1] == 3
    assert torch.equal(found.tokens[:, :3], every.tokens)
    assert not found.scores.isnan().any()


def test_an_input_is_searched_as_it_would_be_alone():
    language = tables(30)
    together = searched(beam_search, language, beam=3)
    for i in range(30):
        alone = searched(beam_search, Tables(language.probs[i : i + 1], language.words), beam=3)
        steps = alone.tokens.shape[2]
        assert torch.equal(alone.tokens[0], together.tokens[i, :, :steps])
        assert torch.allclose(alone.scores[0], together.scores[i])
        assert alone.scored[0] == together.scored[i]


def test_a_search_stops_when_all_have_ended():
    language = Tables.given({"": {"<eos>": 0.97}})
    calls = []

    def counted(tokens, state):
        calls.append(len(tokens))
        return language.step(tokens, state)

    task = language.task(LENGTH)._replace(step=counted)
    assert greedy_search(task).best(language.eos) == [[]]
    assert calls == [1]
    assert beam_search(task, beam=1).best(language.eos) == [[]]
    assert calls == [1, 1]


def test_a_sequence_may_be_cut_at_its_longest():
    language = Tables.given({"": {"A": 0.9}, "A": {"A": 0.9}})
    found = searched(greedy_search, language, max_len=2)
    assert found.best(language.eos) == [[0, 0]]
    assert found.lengths.tolist() == [[2]]
    assert searched(beam_search, language, max_len=2, beam=2).best(language.eos) == [[0, 0]]


def test_the_empty_sequence_and_one_step_are_no_special_cases():
    language = tables(6)
    for search in (greedy_search, beam_search):
        found = searched(search, language, max_len=1)
        assert found.tokens[:, 0, 0].tolist() == language.probs[:, 0].argmax(dim=1).tolist()


def test_c70_greedy_search_misses_the_better_sequence():
    language = Tables.given(BOOK_GIVEN)
    texts = {
        search: language.text(found.tokens[0, 0])
        for search, found in {
            "greedy": searched(greedy_search, language),
            "beam": searched(beam_search, language, beam=2),
            "exhaustive": exhaustively(language),
        }.items()
    }
    better = "A C B <eos>"
    assert texts == {"greedy": "A B C <eos>", "beam": better, "exhaustive": better}
    assert language.probability("A B C <eos>") == pytest.approx(0.048)
    assert language.probability(better) == pytest.approx(0.054)
    assert torch.allclose(language.probs.sum(dim=-1), torch.ones(()).double())


def test_c72_how_many_continuations_are_scored():
    language = tables(40, sharpness=0.3)
    vocab = len(language.words)
    assert (searched(greedy_search, language).scored <= vocab * LENGTH).all()
    for beam in (1, 2, 5):
        scored = searched(beam_search, language, beam=beam).scored
        assert (scored <= beam * vocab * LENGTH).all()
        assert (scored >= vocab).all()
    assert (exhaustively(language).scored == 4 + 3 * 4 + 9 * 4 + 27 * 4).all()


def test_the_trace_holds_what_was_looked_at():
    language = tables(3)
    trace = []
    found = searched(beam_search, language, beam=2, trace=trace)
    seen = sum(step.alive.sum(dim=1) * len(language.words) for step in trace)
    assert torch.equal(seen, found.scored)
    last = trace[-1]
    assert torch.equal(last.totals.flatten(1).gather(1, last.kept), found.log_probs)


def test_states_follow_their_sequences_whatever_they_hold():
    state = (torch.arange(3), torch.arange(12.0).view(3, 2, 2))
    picked = select(state, torch.tensor([2, 0, 0]))
    assert picked[0].tolist() == [2, 0, 0]
    assert torch.equal(picked[1], state[1][[2, 0, 0]])


def test_every_sequence_occurs_once():
    every = all_sequences(3, 2, 3)
    assert len({tuple(row) for row in every.tolist()}) == len(every) == 1 + 2 + 4 + 8
    assert all_sequences(1, 0, 3).tolist() == [[0, 0, 0]]
    assert all_sequences(2, 1, 1).tolist() == [[0], [1]]


def test_too_many_sequences_are_refused_before_they_are_made():
    with pytest.raises(UsageError, match=r"10,000 tokens make 10,000\^10 sequences") as error:
        all_sequences(10_000, 0, 10)
    with pytest.raises(UsageError, match="pass a smaller max_len"):
        all_sequences(10_000, 0, 100)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="more than a million"):
        Tables.drawn(1, 25, 6, 1.0, generator(0))
