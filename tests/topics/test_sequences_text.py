"""Byte pairs from scratch beside the library's, counts beside a Counter, and the real text's."""

import functools
import math
from collections import Counter

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freedive.core.errors import UsageError
from freedive.data.bpe import BPETokenizer
from freedive.data.time_machine import TimeMachine
from freedive.data.vocab import UNKNOWN, Vocab
from freedive.topics.sequences import bpe
from freedive.topics.sequences.counts import NGramCounts
from freedive.topics.sequences.statistics import frequencies, most_frequent, zipf_fit
from freedive.topics.sequences.text_claims import BIGRAMS, PREFIX, WORDS
from freedive.topics.sequences.texts import counted_words, has_time_machine, open_text, origin

SENTENCES = (
    "the cat sat on the mat and the cat ran",
    "low lower lowest slow slower  slowest\n\nnew newer newest wide wider widest",
    "aaaa aaaaa aa a aaaaaaaa",  # a pair that overlaps itself
    "ab ba ab ba",  # ties
    "Été, été; l'été… 12,345 <unk> <unk>!",
    "",
    " ",
)
small = st.text("aab \n", max_size=40)
real = pytest.mark.skipif(
    not has_time_machine(), reason="wants the Time Machine in FREEDIVE_DATA or the cache"
)


def assert_equal_to_the_library(text, size, min_freq, other):
    library, ours = BPETokenizer.trained(text, size, min_freq), bpe.train(text, size, min_freq)
    assert ours.tokens == library.vocab.idx_to_token
    assert ours.merges == library.merges
    for told in (text, other):
        numbers = ours.encode(told)
        assert numbers == library.encode(told)
        assert ours.decode(numbers) == library.decode(numbers)


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("min_freq", [0, 2, 3])
@pytest.mark.parametrize("size", [1, 8, 30, 200])
def test_byte_pairs_equal_the_librarys(text, size, min_freq):
    assert_equal_to_the_library(text, size, min_freq, "the slowest cat of été")


@settings(deadline=None)
@given(st.one_of(small, st.text(max_size=30)), st.integers(1, 30), st.integers(0, 3), small)
@example("xabc abc ab c a bc abc x", 12, 0, "abc bca")  # one token from two pairs
def test_byte_pairs_equal_the_librarys_on_any_text(text, size, min_freq, other):
    assert_equal_to_the_library(text, size, min_freq, other)


def test_the_first_merges_can_be_followed_by_hand():
    learnt = bpe.train("low low low lower lowest", 12)
    assert learnt.merges == [("l", "o"), ("lo", "w"), (" ", "low")]
    assert learnt.tokens[-3:] == ["lo", "low", " low"]
    assert bpe.joined(list("aaa"), ("a", "a")) == ["aa", "a"]
    assert bpe.cut("abc", {("b", "c"): 0, ("a", "b"): 1}) == ["a", "bc"]
    assert bpe.cut("abc", {("b", "c"): 1, ("a", "b"): 0}) == ["ab", "c"]
    assert bpe.cut("", {}) == []


def numbered(text):
    vocab = Vocab(text)
    return torch.tensor(vocab[list(text)]), vocab


@given(st.text("abc", min_size=1, max_size=30), st.integers(1, 5))
def test_counts_are_those_of_a_counter(text, n):
    tokens, vocab = numbered(text)
    n = min(n, len(text))
    counts = NGramCounts(tokens, len(vocab), n)
    for k in range(1, n + 1):
        slow = Counter(tuple(tokens[i : i + k].tolist()) for i in range(len(text) - k + 1))
        runs = [tuple(run) for run in counts.runs(k).tolist()]
        assert dict(zip(runs, counts.counts[k - 1].tolist(), strict=True)) == slow
        assert runs == sorted(runs)
        assert counts.num_runs(k) == len(slow)
        followed = Counter({run[:-1]: 0 for run in slow})
        distinct = Counter(run[:-1] for run in slow)
        for run, count in slow.items():
            followed[run[:-1]] += count
        for number, run in enumerate(counts.runs(k - 1).tolist()):
            assert counts.followed[k - 1][number] == followed[tuple(run)]
            assert counts.distinct[k - 1][number] == distinct[tuple(run)]


def test_runs_are_found_or_not():
    tokens, vocab = numbered("abcab")
    counts = NGramCounts(tokens, len(vocab), 3)
    a, b, c = vocab[list("abc")]
    context, run = counts.find(torch.tensor([[a, b], [b, a], [c, a], [vocab.unk, a]]))
    assert (context >= 0).tolist() == [True, True, True, False]
    assert (run >= 0).tolist() == [True, False, True, False]
    assert counts.runs(2)[run[0]].tolist() == [a, b]
    assert counts.runs(2)[run[2]].tolist() == [c, a]
    assert counts.find(torch.empty(0, 2, dtype=torch.long))[1].shape == (0,)
    every_second = torch.stack([tokens, tokens]).T[:, 0]  # not contiguous
    assert torch.equal(NGramCounts(every_second, len(vocab), 3).counts[2], counts.counts[2])


def test_long_runs_of_many_tokens_do_not_overflow():
    tokens = torch.randint(100_000, (2_000,))
    counts = NGramCounts(tokens, 100_000, 12)  # 100,000¹² sequences
    assert torch.equal(counts.runs(12)[counts.find(tokens[None, :12])[1]][0], tokens[:12])
    assert counts.num_runs(12) == 1_989


@pytest.mark.parametrize(
    ("tokens", "n", "told"),
    [([0, 1], 3, "from 1 to the 2 of the text, got 3"), ([0, 1], 0, "got 0"), ([], 1, "the 0 of"),
     ([0, 5], 1, "a number from 0 to 4, got 0 to 5"), ([-1, 2], 1, "got -1 to 2")],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(tokens, n, told):
    with pytest.raises(UsageError, match=told):
        NGramCounts(torch.tensor(tokens, dtype=torch.long), 5, n)
    with pytest.raises(UsageError, match="with a vocabulary of 5"):
        NGramCounts(torch.tensor([0, 1]), 5, 1).find(torch.tensor([[5]]))


def test_the_most_frequent_come_first_and_ties_in_the_order_of_the_alphabet():
    words = list("babacdc")
    vocab = Vocab(words)
    counts = NGramCounts(torch.tensor(vocab[words]), len(vocab), 2)
    assert most_frequent(counts, 1, vocab, 10) == [("a", 2), ("b", 2), ("c", 2), ("d", 1)]
    assert most_frequent(counts, 2, vocab, 2) == [("b a", 2), ("a b", 1)]
    assert frequencies(counts, 1).tolist() == [2, 2, 2, 1]


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.7])
def test_the_slope_of_an_exact_power_law_is_found(alpha):
    found = 1e6 * torch.arange(1, 201, dtype=torch.float64) ** -alpha
    assert zipf_fit(found) == pytest.approx((alpha, 1), abs=1e-9)
    assert zipf_fit(found, 50, 100)[0] == pytest.approx(alpha, abs=1e-9)
    noisy = found * (1 + 0.3 * torch.rand(200, dtype=torch.float64))
    logs = torch.stack([torch.arange(1, 201).double().log(), torch.ones(200).double()], dim=1)
    slope = torch.linalg.lstsq(logs, noisy.log()[:, None]).solution[0, 0]
    assert zipf_fit(noisy)[0] == pytest.approx(-float(slope), abs=1e-9)
    assert zipf_fit(noisy)[1] < 1
    correlation = torch.corrcoef(torch.stack([logs[:, 0], noisy.log()]))[0, 1]
    assert zipf_fit(noisy)[1] == pytest.approx(float(correlation) ** 2, abs=1e-9)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (3, None), (9, 20)])
def test_a_slope_wants_two_ranks(first, last):
    with pytest.raises(UsageError, match="two ranks or more"):
        zipf_fit(torch.tensor([3, 2, 1]), first, last)


def test_equal_frequencies_have_no_slope():
    alpha, explained = zipf_fit(torch.tensor([2, 2, 2]))
    assert alpha == 0
    assert math.isnan(explained)


def test_auto_takes_the_real_text_only_where_it_is(monkeypatch):
    for there, name in ((True, "time-machine"), (False, "tales")):
        answer = functools.partial(bool, there)
        monkeypatch.setattr("freedive.topics.sequences.texts.has_time_machine", answer)
        data = open_text()
        assert data.name == name
        assert data.label in origin(data)
        assert ("made by code" in origin(data)) is not there
    assert open_text("tales").name == "tales"
    assert isinstance(open_text("time-machine"), TimeMachine)


@real
def test_the_time_machine_has_the_printed_size_and_counts():
    data = open_text("time-machine", "word")
    counts, vocab = counted_words(data)
    assert data.text[:60] == PREFIX
    assert len(data.text) == 173_428
    assert len(Vocab(data.text)) == 28
    assert most_frequent(counts, 1, vocab, 10) == list(WORDS.items())
    assert most_frequent(counts, 2, vocab, 10) == list(BIGRAMS.items())
    # one word after the other, by Python alone
    words = data.text.split()
    assert Counter(words).most_common(10) == list(WORDS.items())
    assert (len(words), len(set(words)), len(vocab)) == (32_775, 4_579, 4_580)
    assert UNKNOWN not in words


@real
def test_the_time_machine_as_pieces_comes_back():
    data = open_text("time-machine", "bpe", vocab_size=1000)
    assert len(data.vocab) == 1000
    assert data.codec.decode(data.corpus) == data.text
    assert len(data.corpus) < len(data.text) / 3
