"""tales: the same text everywhere, English by its grammar, and a story that remembers itself."""

import hashlib
import math
import random
import re
from collections import Counter
from itertools import islice

import pytest

from freedive.core.errors import UsageError
from freedive.data import tale_grammar
from freedive.data.tale_grammar import VERSION, stories, tell_tale

# written down here once more, so that the grammar cannot vouch for itself
WOMEN = ["Alice", "Clara", "Rose", "Anna", "Martha", "Grace", "Lucy", "Ellen", "Judith", "Esther"]
MEN = ["John", "Peter", "Thomas", "Hugh", "Martin", "Oliver", "Jasper", "Felix", "Walter", "Max"]
ORDINALS = ["first", "second", "third", "fourth", "fifth"]
NUMBERS = {"three": 3, "four": 4, "five": 5}
A_WISH = re.compile(
    r"(?:wanted|longed for was|spoke of|dreamed of|look for|needed was) an? ([\w-]+ [a-z ]+?)[,.;]"
)


@pytest.fixture(scope="module")
def tales() -> list[str]:
    return list(islice(stories(seed=3), 500))


@pytest.fixture(scope="module")
def words() -> list[str]:
    return re.sub("[^a-z]+", " ", tell_tale(300_000, seed=1).lower()).split()


def outside_quotes(tale: str) -> str:
    return re.sub('"[^"]*"', '""', tale)


@pytest.mark.parametrize("num_chars", [0, 1, 2, 999, 20_000])
def test_the_length_is_the_one_asked_for(num_chars):
    assert len(tell_tale(num_chars, seed=0)) == num_chars


def test_a_negative_length_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"got num_chars=-1: pass >= 0$"):
        tell_tale(-1, seed=0)


def test_a_longer_text_begins_with_the_shorter_one():
    text = tell_tale(30_000, seed=5)
    assert all(text.startswith(tell_tale(n, seed=5)) for n in (0, 1, 700, 4_321, 29_999))


def test_the_text_is_its_stories_with_a_line_between_them():
    text = "\n\n".join(islice(stories(seed=8), 40))
    assert tell_tale(len(text), seed=8) == text


def test_another_seed_tells_other_stories():
    told = [set(islice(stories(seed), 100)) for seed in (0, 1)]
    assert len(told[0]) == len(told[1]) == 100
    assert not told[0] & told[1]


def test_telling_leaves_the_global_generator_alone():
    before = random.getstate()
    tell_tale(5_000, seed=0)
    assert random.getstate() == before


def test_the_version_names_the_characters():
    digest = hashlib.sha256(tell_tale(50_000, seed=11).encode()).hexdigest()
    assert (VERSION, digest[:16]) == ("tales-1", "f40623d4fc1d6114")


def test_all_letters_occur_often_and_no_others():
    text = tell_tale(300_000, seed=2)
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \n\"'.,;:?!-")
    letters = Counter(re.sub("[^a-z]", "", text.lower()))
    assert len(letters) == 26
    assert min(letters.values()) > 0.0005 * letters.total()


def test_words_are_spread_as_in_a_book(words):
    counts = Counter(words)
    assert {word for word, _ in counts.most_common(4)} == {"the", "and", "of", "a"}
    assert 0.05 < counts["the"] / len(words) < 0.12
    assert len(counts) > 850
    assert sum(count < len(words) / 5_000 for count in counts.values()) > 300  # the long tail


def test_frequency_falls_about_as_one_over_rank(words):
    counts = [count for _, count in Counter(words).most_common(500)]
    x = [math.log(rank) for rank in range(1, 501)]
    y = [math.log(count) for count in counts]
    mx, my = sum(x) / 500, sum(y) / 500
    covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    assert -1.4 < covariance / sum((a - mx) ** 2 for a in x) < -0.8


def test_every_slot_is_filled(tales):
    assert not [tale for tale in tales if re.search(r"[{}|]|  |None", tale)]


def test_a_stands_before_consonants_and_an_before_vowels():
    text = tell_tale(500_000, seed=4)
    assert not re.search(r"\b[Aa] [aeiouAEIOU]", text)
    assert not re.search(r"\b[Aa]n (?!honest)[^aeiouAEIOU]", text)
    assert not re.search(r"\ba (honest|hour|heir)", text, re.IGNORECASE)
    assert not re.search(r"\ban (uni|use|usu|eu|ewe|one\b|once)", text, re.IGNORECASE)


def test_quotes_open_before_a_word_and_close_after_a_mark(tales):
    for tale in tales:
        parts = tale.split('"')
        assert len(parts) % 2 == 1, tale
        for before, inside in zip(parts[0::2], parts[1::2], strict=False):
            assert before == "" or before.endswith(" "), tale
            assert re.fullmatch(r"[A-Za-z].*[.,?!]", inside), inside


def test_sentences_begin_with_a_capital_and_the_last_one_ends(tales):
    for tale in tales:
        assert re.match(r'"?[A-Z]', tale)
        assert re.search(r'[.?]"?$', tale)
        assert not re.search(r'[^"][.?] "?[a-z]', outside_quotes(tale)), tale


def test_no_word_is_said_twice_running(tales):
    assert not [m[0] for tale in tales if (m := re.search(r"\b(\w+) (?:and )?\1\b", tale))]


def test_verbs_agree_with_their_subjects(tales):
    wrong = r"\b(he|she|it|who|that) (were|are|have|do)\b|\b(they|we|you) (was|is|has|does)\b"
    assert not [m[0] for tale in tales if (m := re.search(wrong, tale, re.IGNORECASE))]
    assert not [m[0] for tale in tales if (m := re.search(r"there (was|is) (two|some)\b", tale))]


def test_the_hero_keeps_name_and_pronoun_to_the_end(tales):
    known = 0
    for tale in tales:
        told = outside_quotes(tale).lower()
        she = set(re.findall(r"\b(?:she|her|herself)\b", told))
        he = set(re.findall(r"\b(?:he|him|his|himself)\b", told))
        assert bool(she) != bool(he), tale
        names = re.findall(rf"\b({'|'.join(WOMEN + MEN)})\b", tale)
        assert len(set(names)) <= 1, tale
        if names:
            known += 1
            assert len(names) > 1, tale
            assert tale.rindex(names[0]) > len(tale) / 2
            assert (names[0] in WOMEN) == bool(she), tale
    assert known > 200


def test_the_wish_of_the_beginning_is_there_at_the_end(tales):
    found = [(tale, A_WISH.search(tale)) for tale in tales]
    assert all(match for _, match in found)
    for tale, match in found:
        wish = match[1].removesuffix(" but who")
        assert wish in tale[match.end() :], tale
        assert tale.index(wish) < len(tale) / 3
        assert tale.rindex(wish) > len(tale) / 2


def test_trials_are_counted_up_to_the_number_foretold(tales):
    lengths = Counter()
    for tale in tales:
        foretold = re.search(r"(?:try|Try|fewer than) (three|four|five) (?:times|trials)", tale)
        counted = re.findall(rf"\b({'|'.join(ORDINALS)}) (?:time|trial)\b", tale)
        number = NUMBERS[foretold[1]] if foretold else 0
        assert counted == ORDINALS[:number], tale
        lengths[number] += 1
    assert set(lengths) == {0, 3, 4, 5}
    assert min(lengths.values()) > 50


def test_sentences_differ_in_length(tales):
    told = " ".join(map(outside_quotes, tales))
    lengths = [len(sentence.split()) for sentence in re.split(r"(?<=[.?]) ", told)]
    assert min(lengths) <= 4
    assert max(lengths) >= 30
    assert len(set(lengths)) > 25


def test_no_sentence_of_the_grammar_is_never_told():
    told = "\n".join(islice(stories(seed=6), 3_000))
    for slot, sentences in tale_grammar.TURNS.items():
        for sentence in sentences:
            pieces = re.split(r"\{[^}]+\}|\ba ", sentence)
            longest = max(pieces, key=len).strip()
            assert longest in told, (slot, sentence)
