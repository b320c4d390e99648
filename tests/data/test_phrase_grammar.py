"""phrasebook: distinct pairs, one French side for each English one, and agreement in both."""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from freedive.core.errors import UsageError
from freedive.data import phrase_clauses as c
from freedive.data import phrase_grammar as grammar
from freedive.data import phrase_words as w
from freedive.data.phrase_clauses import Act
from freedive.data.phrase_grammar import SENTENCES, VERSION, Rule, build, either, phrases, pick
from freedive.data.phrase_words import meet, noun_phrase

# French written down here once more, so that the grammar cannot vouch for itself
MASCULINE = {
    "homme", "médecin", "garçon", "frère", "père", "ami", "chat", "chien", "cheval", "oiseau",
    "livre", "chapeau", "arbre", "pain", "lait", "café", "thé", "marché", "hôpital", "matin",
    "soir",
}  # fmt: skip
FEMININE = {
    "femme", "fille", "sœur", "mère", "amie", "lettre", "clé", "voiture", "maison", "pomme",
    "soupe", "eau", "porte", "fenêtre", "école", "gare",
}  # fmt: skip
PLURALS = {noun + "s": noun for noun in MASCULINE | FEMININE} | {
    "chevaux": "cheval", "oiseaux": "oiseau", "chapeaux": "chapeau",
}  # fmt: skip
SINGULAR_BEFORE = {
    "m": {"un", "le", "ce", "cet", "mon", "ton", "son", "notre", "du", "au", "de", "l'", "d'"},
    "f": {"une", "la", "cette", "ma", "ta", "sa", "mon", "ton", "son", "notre", "de", "l'", "d'"},
}
PLURAL_BEFORE = {"les", "ces", "mes", "tes", "ses", "nos", "deux", "trois", "aux"}
ADJECTIVES = {
    "m": {"grand", "petit", "vieux", "vieil", "nouveau", "nouvel", "noir", "rouge"},
    "f": {"grande", "petite", "vieille", "nouvelle", "noire", "rouge"},
    "ms": {"grands", "petits", "vieux", "nouveaux", "noirs", "rouges"},
    "fs": {"grandes", "petites", "vieilles", "nouvelles", "noires", "rouges"},
}
EVERY_ADJECTIVE = set.union(*ADJECTIVES.values())
VOWEL = "[aeiouhâéèêôœAÉ]"
PRESENT = {  # être, avoir, aller and the like; all other verbs end as the patterns say
    "je": ("suis|ai|vais|peux|veux|dois|vois|lis|bois|dors", r"\w+e"),
    "tu": ("es|as|vas|peux|veux|dois|vois|lis|bois|dors", r"\w+es"),
    "il": ("est|a|va|peut|veut|doit|voit|lit|boit|dort", r"\w+e"),
    "nous": ("sommes", r"\w+ons"),
    "ils": ("sont|ont|vont", r"\w+ent"),
}


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return phrases(12_000, seed=1)


def tokens(french: str) -> list[str]:
    """Words in lower case, an apostrophe at the end of the first of two."""
    return re.findall(r"aujourd'hui|\w+'|[\w-]+|[.,?!]", french.lower())


@pytest.mark.parametrize("num", [0, 1, 2, 777])
def test_the_number_is_the_one_asked_for(num):
    assert len(phrases(num, seed=0)) == num


def test_a_number_that_cannot_be_had_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"got num=-1: pass >= 0$"):
        phrases(-1, seed=0)
    most = SENTENCES.size
    with pytest.raises(UsageError, match=rf"has {most} pairs: pass fewer than num={most + 1}$"):
        phrases(most + 1, seed=0)


def test_a_longer_list_begins_with_the_shorter_one():
    longer = phrases(3_000, seed=4)
    assert all(phrases(num, seed=4) == longer[:num] for num in (0, 1, 100, 2_999))


def test_another_seed_gives_another_order():
    first, second = phrases(300, seed=0), phrases(300, seed=1)
    assert first != second
    assert len(set(first) & set(second)) < 100


def test_drawing_leaves_the_global_generator_alone():
    before = random.getstate()
    phrases(100, seed=0)
    assert random.getstate() == before


def test_the_version_names_the_pairs():
    digest = hashlib.sha256(repr(phrases(2_000, seed=11)).encode()).hexdigest()
    assert (VERSION, digest[:16]) == ("phrases-1", "ffd16c81b73ed29c")


def test_no_pair_comes_twice_and_english_has_one_french():
    pairs = phrases(50_000, seed=2)
    assert len(set(pairs)) == len({english for english, _ in pairs}) == 50_000


def outcomes(rule: Rule) -> Iterator[object]:
    """Every outcome of a rule: the choices turn like the wheels of a counter."""
    wheels: list[list[int]] = []

    def below(bound: int) -> int:
        if place[0] == len(wheels):
            wheels.append([0, bound])
        place[0] += 1
        return wheels[place[0] - 1][0]

    while True:
        place = [0]
        yield rule.draw(below)
        while wheels and wheels[-1][0] + 1 == wheels[-1][1]:
            wheels.pop()
        if not wheels:
            return
        wheels[-1][0] += 1


def test_rules_count_what_they_draw():
    rule = build(lambda *parts: parts, either("ab", pick("cde")), either("f", build(str, [1, 2])))
    drawn = list(outcomes(rule))
    assert len(drawn) == len(set(drawn)) == rule.size == 15
    assert ("e", "2") in drawn


@pytest.mark.parametrize("name", ["EVERYONE", "PROPERTY", "MEALS", "DONE", "HAVE", "COMMANDS"])
def test_every_way_to_draw_gives_something_else(name):
    rule = getattr(grammar, name)
    assert len(set(map(repr, outcomes(rule)))) == rule.size


def test_every_state_has_one_translation():
    told = list(outcomes(build(c.tell, [c.statement, c.question], grammar.STATES)))
    assert len({english for english, _ in told}) == len(told) == 2 * grammar.STATES.size


def test_there_are_enough_of_them():
    assert round(SENTENCES.size / 1e6) == 28


def test_both_sides_are_written_as_in_a_file_of_pairs(pairs):
    for english, french in pairs:
        assert re.fullmatch(r"[A-Z][\w', ]*\w[.?!]", english), english
        assert re.fullmatch(r"[A-ZÀÇÉ][\w', -]*\w(\.| [?!])", french), french
        assert english[-1] == french[-1]
        assert not re.search(r"  | ,|,\w|' ", english + french)


def test_a_stands_before_consonants_and_an_before_vowels(pairs):
    told = " | ".join(english for english, _ in pairs)
    assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", told)
    assert " an apple" in told
    assert " an old " in told


def test_vowels_meet_no_words_that_would_lose_theirs(pairs):
    for _, french in pairs:
        assert not re.search(
            rf"(?<![\w-])(je|le|la|de|ne|me|te|que|ce|ma|ta|sa|beau|nouveau) {VOWEL}", french, re.I
        ), french
        assert not re.search(rf"\b\w*(?<!aujourd)'(?!{VOWEL}|y )", french), french
        assert not re.search(r"\b(de|à) les?\b|\bsi ils?\b", french, re.I), french


def noun_group(words: list[str], place: int) -> tuple[str, str, str, str]:
    """The determiner, the adjectives around a noun, and its gender and number."""
    noun = words[place]
    single = PLURALS.get(noun, noun)
    gender = ("m" if single in MASCULINE else "f") + ("s" if noun in PLURALS else "")
    before = words[place - 1] if words[place - 1] in EVERY_ADJECTIVE else ""
    after = words[place + 1] if words[place + 1] in EVERY_ADJECTIVE else ""
    return words[place - 1 - bool(before)], before, after, gender


def test_determiners_and_adjectives_agree_with_their_nouns(pairs):
    seen = Counter()
    for _, french in pairs:
        words = tokens(french)
        for place, word in enumerate(words):
            if PLURALS.get(word, word) not in MASCULINE | FEMININE:
                continue
            determiner, before, after, gender = noun_group(words, place)
            allowed = PLURAL_BEFORE if gender.endswith("s") else SINGULAR_BEFORE[gender]
            assert determiner in allowed, french
            assert {before, after} - {""} <= ADJECTIVES[gender], french
            seen[gender, bool(before), bool(after)] += 1
    assert min(seen[gender, True, True] for gender in ADJECTIVES) > 20


def test_forms_for_vowels_stand_before_vowels_only(pairs):
    feminine = FEMININE | ADJECTIVES["f"] - {"rouge"}
    for _, french in pairs:
        for word, following in pairwise(tokens(french)):
            vowel = bool(re.match(VOWEL, following))
            if word in ("mon", "ton", "son") and following in feminine:
                assert vowel, french
            if word in ("cet", "vieil", "nouvel"):
                assert vowel, french
            if word in ("vieux", "nouveau") and following in MASCULINE:
                assert not vowel, french


def test_every_noun_of_the_grammar_is_in_the_list_of_this_test(pairs):
    articles = {"un", "une", "ce", "cet", "cette", "mon", "ma", "ton", "ta", "son", "sa"}
    for _, french in pairs:
        words = tokens(french)
        for determiner, *after in zip(words, words[1:], words[2:], strict=False):
            if determiner in articles:
                noun = after[1] if after[0] in EVERY_ADJECTIVE else after[0]
                assert noun in MASCULINE | FEMININE, french


def test_verbs_agree_with_their_subjects(pairs):
    clitic = r"(?:(?:me|te|le|la|les|lui|leur|nous) |[mtl]')?"
    for _, french in pairs:
        for clause in re.split(r", | et | mais | parce que | pense que | que |^Si ", french):
            match = re.match(rf"(je|j'|tu|ils|il|nous)\s?(?:ne |n')?{clitic}(\w+)", clause, re.I)
            if not match or re.match("il n?'?y a|il n'y a", clause, re.I):
                continue
            subject = match[1].lower().replace("j'", "je")
            irregular, regular = PRESENT[subject]
            assert re.fullmatch(f"{irregular}|{regular}", match[2]), french


def test_english_verbs_agree_with_their_subjects(pairs):
    for english, _ in pairs:
        wrong = (
            r"(he|she|Tom|Mary|Anna) (am|are|do|see|want|like|love|have|give|think|eat|drink|read)"
        )
        assert not re.match(rf"{wrong}\b", english, re.I), english
        assert not re.match(r"(I|we|they|you) (is|does|(?!always)\w+[^s]s|has)\b", english, re.I), (
            english
        )
        assert not re.search(r"\b(I (are|is)|(we|they|you) am|(he|she) (am|are))\b", english), (
            english
        )


def test_negation_has_two_parts_wherever_english_denies(pairs):
    for english, french in pairs:
        denied = len(re.findall(r"\b(?:not|never|cannot)\b", english, re.I))
        if (english, french) in w.FIXED:
            continue
        assert len(re.findall(r"\bne\b|\bn'", french, re.I)) == denied, french
        assert len(re.findall(r"\bpas\b|\bjamais\b", french)) == denied, french
        assert not re.search(r"pas (une?|du|de la|de l')\b", french), french


def test_questions_ask_with_est_ce_que_or_a_word(pairs):
    for _, french in pairs:
        if french.endswith("?") and len(french.split()) > 3:
            assert re.match(
                r"(Pourquoi |Quand |Où |Qu')?est-ce qu|Où |Qui |Quel âge ", french, re.I
            )


def test_participles_agree_with_the_subject_after_etre(pairs):
    seen = Counter()
    for _, french in pairs:
        for subject, participle in re.findall(
            r"\b(je|tu|il|elle|nous|ils|marie|anna|tom|sœurs|frères)"
            r" (?:ne |n')?(?:suis|es|est|sommes|sont) (?:pas )?((?:all|part)\w+)",
            french.lower(),
        ):
            ending = {"elle": "e", "marie": "e", "anna": "e", "nous": "s", "ils": "s",
                      "sœurs": "es", "frères": "s"}.get(subject, "")  # fmt: skip
            assert participle in ("allé" + ending, "parti" + ending), french
            seen[ending] += 1
    assert set(seen) == {"", "e", "s", "es"}


def test_participles_agree_with_a_pronoun_before_avoir(pairs):
    seen = Counter()
    ending = {"him": "", "her": "e", "them": "s", "us": "s", "me": "", "you": ""}
    for english, french in pairs:
        match = re.search(
            r"(?:saw|[Dd]id.* see) (him|her|them|us|me|you)[.?]?(?: yester.*| this.*)?$", english
        )
        if match:
            assert re.search(rf"\bvu{ending[match[1]]}\b", french), (english, french)
            seen[match[1]] += 1
    assert set(seen) == set(ending)


def test_word_order_differs_between_the_sides(pairs):
    told = [(english.lower(), french.lower()) for english, french in pairs]
    colours = [french for english, french in told if re.search(r"\b(red|black) [a-z]+", english)]
    assert len(colours) > 500
    assert all(re.search(r"\w (rouge|noir)e?s?\b", french) for french in colours)
    seen = [french for english, french in told if re.search(r"\b(him|her|them)\.", english)]
    assert len(seen) > 100
    assert not [french for french in seen if re.search(r"\b(le|la|les|lui|leur)\.", french)]


def test_lengths_and_vocabularies_are_moderate(pairs):
    for side, least, most in ((0, 150, 250), (1, 250, 350)):
        split = [re.sub(r"(?<! )([,.?!])", r" \1", pair[side].lower()).split() for pair in pairs]
        lengths = Counter(map(len, split))
        assert 2 == min(lengths) < max(lengths) <= 18
        assert sum(lengths[n] for n in range(3, 15)) > 0.97 * len(pairs)
        assert least < len({token for sentence in split for token in sentence}) < most


JE, TU, IL, ELLE, NOUS, ILS = w.PRONOUNS
HIM, HER, THEM = (c.take_pronoun(w.SEE, pronoun) for pronoun in w.HIM_HER_THEM)
LOVE_YOU, LOOK_AT_ME = c.take_pronoun(w.LOVE, w.YOU_TOO), c.take_pronoun(w.LOOK_AT, w.ME)
MARKET, MAN = (noun_phrase(w.THE, noun) for noun in (w.PLACES[2], w.ADULTS[0]))
CAR, APPLE, CAT = (noun_phrase(w.A, noun) for noun in (w.CAR, w.FRUIT[0], w.ANIMALS[0]))
EAT_APPLE, DRINK_WATER = c.take(w.EAT, APPLE), c.take(w.DRINK, w.some(w.DRINKS[0]))
HUNGRY, TIRED = c.State("hungry", w.HAVE, ("faim",) * 4), c.adjective(w.MOODS[0])
INSIDE = c.stand(("in", "dans"), noun_phrase(w.THE, w.HOUSE))
TOM, _, ANNA = w.NAMES


@pytest.mark.parametrize(
    ("clause", "mode", "english", "french"),
    [
        (c.simple(JE, HIM), c.statement, "I see him.", "Je le vois."),
        (c.simple(JE, LOVE_YOU), c.statement, "I love you.", "Je t'aime."),
        (c.be(JE, HUNGRY), c.negation, "I am not hungry.", "Je n'ai pas faim."),
        (c.be(ELLE, TIRED), c.question, "Is she tired?", "Est-ce qu'elle est fatiguée ?"),
        (c.past(IL, HER), c.statement, "He saw her.", "Il l'a vue."),
        (c.past(TU, THEM), c.negation, "You did not see them.", "Tu ne les as pas vus."),
        (c.simple(IL, DRINK_WATER), c.statement, "He drinks water.", "Il boit de l'eau."),
        (
            c.simple(IL, DRINK_WATER),
            c.negation,
            "He does not drink water.",
            "Il ne boit pas d'eau.",
        ),
        (c.modal(w.CAN, JE, HIM), c.negation, "I cannot see him.", "Je ne peux pas le voir."),
        (c.future(NOUS, HIM), c.statement, "We are going to see him.", "Nous allons le voir."),
        (c.at_home(ANNA), c.statement, "Anna is at home.", "Anna est chez elle."),
    ],
)
def test_clauses_of_the_textbook(clause, mode, english, french):
    assert c.tell(mode, clause) == (english, french)


@pytest.mark.parametrize(
    ("pair", "english", "french"),
    [
        (
            c.tell(c.statement, c.past(ELLE, c.go_to(MARKET)), ("yesterday", "hier")),
            "She went to the market yesterday.",
            "Elle est allée au marché hier.",
        ),
        (
            c.tell(c.negation, c.simple(NOUS, c.take(w.HAVE, CAR))),
            "We do not have a car.",
            "Nous n'avons pas de voiture.",
        ),
        (
            c.tell(c.question, c.progressive(ILS, EAT_APPLE)),
            "Are they eating an apple?",
            "Est-ce qu'ils mangent une pomme ?",
        ),
        (
            c.tell(c.negation, c.there_is(CAT, INSIDE)),
            "There is not a cat in the house.",
            "Il n'y a pas de chat dans la maison.",
        ),
        (
            c.tell(c.statement, c.be(ELLE, c.compared(("taller", w.TALL), ANNA))),
            "She is taller than Anna.",
            "Elle est plus grande qu'Anna.",
        ),
        (
            c.tell_often(("never", "jamais"), c.be(IL, TIRED)),
            "He is never tired.",
            "Il n'est jamais fatigué.",
        ),
        (
            c.tell_often(("often", "souvent"), c.simple(IL, c.take(w.SEE, MAN))),
            "He often sees the man.",
            "Il voit souvent l'homme.",
        ),
        (
            c.ask(("what", "que"), c.simple(TU, Act(w.SEE))),
            "What do you see?",
            "Qu'est-ce que tu vois ?",
        ),
        (c.ask_age(TOM), "How old is Tom?", "Quel âge a Tom ?"),
        (c.order(c.command, LOOK_AT_ME), "Look at me!", "Regarde-moi !"),
        (c.order(c.forbid, LOOK_AT_ME), "Do not look at me!", "Ne me regarde pas !"),
        (c.order(c.suggest, EAT_APPLE), "Let us eat an apple!", "Mangeons une pomme !"),
        (
            c.order_if(c.be(ILS, HUNGRY), c.go_to(MARKET)),
            "If they are hungry, go to the market!",
            "S'ils ont faim, va au marché !",
        ),
        (
            c.think(JE, c.statement(c.be(ELLE, HUNGRY))),
            "I think that she is hungry.",
            "Je pense qu'elle a faim.",
        ),
    ],
)
def test_sentences_of_the_textbook(pair, english, french):
    assert pair == (english, french)


@pytest.mark.parametrize(
    ("phrase", "english", "french"),
    [
        (noun_phrase(w.A, w.ADULTS[0], w.OLD), "an old man", "un vieil homme"),
        (noun_phrase(w.TWO, w.ANIMALS[2], w.OLD), "two old horses", "deux vieux chevaux"),
        (noun_phrase(w.A, w.CAR, w.NEW, w.RED), "a new red car", "une nouvelle voiture rouge"),
        (noun_phrase(w.THIS, w.ANIMALS[3], w.NEW), "this new bird", "ce nouvel oiseau"),
        (noun_phrase(w.POSSESSIVES[0], w.FRIEND_F), "my friend", "mon amie"),
        (noun_phrase(w.POSSESSIVES[0], w.FRIEND_F, w.OLD), "my old friend", "ma vieille amie"),
        (w.called(w.POSSESSIVES[2], ANNA), "his friend Anna", "son amie Anna"),
        (w.owned(MAN, w.DOORS[0]), "the man's door", "la porte de l'homme"),
        (w.owned(ANNA, w.READING[0]), "Anna's book", "le livre d'Anna"),
    ],
)
def test_noun_phrases_of_the_textbook(phrase, english, french):
    assert phrase.en == english
    assert meet(phrase.fr) == french


@pytest.mark.parametrize(
    ("apart", "together"),
    [
        ("je ai", "j'ai"), ("est-ce que Anna", "est-ce qu'Anna"), ("il ne y a", "il n'y a"),
        ("à les amis de le garçon", "aux amis du garçon"), ("à le hôpital", "à l'hôpital"),
        ("de les eaux", "des eaux"), ("si ils", "s'ils"), ("si elle", "si elle"),
        ("ma école", "mon école"), ("ce arbre", "cet arbre"), ("regarde-le aujourd'hui",) * 2,
        ("le yaourt",) * 2, ("", ""),
    ],
)  # fmt: skip
def test_words_meet_as_french_ones_do(apart, together):
    assert meet(apart) == together
