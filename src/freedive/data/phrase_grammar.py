"""phrasebook: English–French pairs from one grammar, a stand-in for pairs collected from people.

Every rule builds both sides together, some 28 million pairs in all. An English sentence has one
French translation: you is tu, and whoever may be a man or a woman is a man.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from random import Random
from typing import Any, Generic, NamedTuple, TypeVar

from freedive.core.errors import UsageError
from freedive.data import phrase_clauses as c
from freedive.data import phrase_words as w
from freedive.data.phrase_clauses import Act, Clause, Pair, State
from freedive.data.phrase_words import Noun, Phrase, Verb, noun_phrase

VERSION = "phrases-1"  # goes into cache keys: changes whenever a drawn pair does

T = TypeVar("T")
Below = Callable[[int], int]  # a random number below another


class Rule(NamedTuple, Generic[T]):
    """Something drawn at random, and the number of ways to draw it."""

    size: int
    draw: Callable[[Below], T]


Items = Rule[Any] | Sequence[Any]


def pick(items: Sequence[T]) -> Rule[T]:
    """One of some ready items."""
    return Rule(len(items), lambda below: items[below(len(items))])


def either(*choices: Items) -> Rule[Any]:
    """What one of some rules or lists gives, each of them equally often."""
    rules = [choice if isinstance(choice, Rule) else pick(choice) for choice in choices]
    size = sum(rule.size for rule in rules)
    return Rule(size, lambda below: rules[below(len(rules))].draw(below))


def build(function: Callable[..., T], *parts: Items) -> Rule[T]:
    """A function of one draw from each of some rules or lists."""
    rules = [part if isinstance(part, Rule) else pick(part) for part in parts]
    size = prod(rule.size for rule in rules)
    return Rule(size, lambda below: function(*[rule.draw(below) for rule in rules]))


# a list of determiners and one of nouns make a rule for phrases, and so on
nouns = partial(build, noun_phrase)
acts = partial(build, c.take)
states = partial(build, c.be)
clauses = partial(build, lambda make, subject, act: make(subject, act))
said = partial(build, lambda mode, clause: mode(clause))


def bare(*verbs: Verb) -> list[Act]:
    """Verbs without an object."""
    return [Act(verb) for verb in verbs]


# who and what the sentences are about
DEFINITE = [w.THE, w.THIS, *w.POSSESSIVES]
ONE = [w.A, *DEFINITE]
MANY = [w.MANY_THE, w.MANY_THESE, w.TWO, w.THREE, *w.MANY_POSSESSIVES]


def things(kinds: Sequence[Noun], before: Sequence[Any], after: Sequence[Any]) -> Rule[Phrase]:
    """One or more of some things, half of them with an adjective or two."""
    some = either(ONE, MANY)
    first = nouns(some, kinds, before, either([None], after))
    return either(nouns(some, kinds), either(first, nouns(some, kinds, [None], after)))


FRIENDS = build(w.called, w.POSSESSIVES, w.NAMES)
RELATIVES = either(
    nouns(w.POSSESSIVES, [*w.SIBLINGS, *w.PARENTS, w.FRIEND]),
    nouns(w.MANY_POSSESSIVES, [*w.SIBLINGS, w.FRIEND]),
)
KIN = either(w.NAMES, RELATIVES, FRIENDS)
PERSON = either(
    nouns([w.THE, w.THIS], w.ADULTS, [None, w.OLD]),
    nouns([w.THE, w.THIS], w.CHILDREN, [None, w.LITTLE]),
)
PEOPLE = either(PERSON, nouns([w.MANY_THE, w.MANY_THESE, w.TWO], [*w.ADULTS, *w.CHILDREN]))
SUBJECTS = either(w.PRONOUNS, KIN)
OTHERS = either([w.HE, w.SHE, w.THEY], KIN)  # neither I nor you
EVERYONE = either(w.PRONOUNS, KIN, PEOPLE)
ANIMALS = things(w.ANIMALS, [w.BIG, w.LITTLE, w.OLD], [w.BLACK])
GIFTS = things(w.GOODS, [w.BIG, w.LITTLE, w.OLD, w.NEW], [w.RED, w.BLACK])
GOODS = either(GIFTS, build(w.owned, either(w.NAMES, PERSON), w.GOODS))
PROPERTY = either(things([w.CAR, w.HOUSE], [w.BIG, w.LITTLE, w.OLD, w.NEW], [w.RED]), GOODS)
MEALS = either(
    build(w.some, w.FOOD),
    nouns(DEFINITE, w.FOOD),
    things(w.FRUIT, [w.BIG, w.LITTLE], [w.RED]),
)
CUPS = either(build(w.some, w.DRINKS), nouns(DEFINITE, w.DRINKS))
PLEASURES = either(
    nouns([w.ANY], [*w.FOOD, *w.DRINKS]),
    nouns([w.MANY_ANY], [*w.FRUIT, *w.ANIMALS, *w.READING]),
)
PLACES = nouns([w.THE], w.PLACES)
AT = build(c.stand, [("at", "à")], PLACES)
IN = build(c.stand, [("in", "dans")], nouns(DEFINITE, [w.CAR, w.HOUSE]))
UNDER = build(c.stand, [("under", "sous")], nouns(DEFINITE, [w.CAR, w.TREE]))


def with_pronouns(makers: Sequence[Any], *verbs: Verb) -> Rule[Clause]:
    """Clauses with a pronoun as an object; nobody sees himself."""

    def with_pronoun(subjects: Items, pronouns: Items) -> Rule[Clause]:
        seen = build(c.take_pronoun, verbs, pronouns)
        return clauses(makers, subjects, either(seen, build(c.give_pronoun, pronouns, GIFTS)))

    return either(
        with_pronoun(SUBJECTS, w.HIM_HER_THEM),
        with_pronoun(OTHERS, w.ME_YOU_US),
        with_pronoun([w.FIRST, w.WE], [w.YOU_TOO]),
        with_pronoun([w.YOU], [w.ME, w.US]),
    )


# what they do
DAILY = either(
    acts([w.EAT], MEALS),
    acts([w.DRINK], CUPS),
    acts([w.READ], things(w.READING, [w.OLD, w.NEW], [w.RED])),
)
GO = build(c.go_to, PLACES)
GIVE = build(c.give, nouns(ONE, w.GOODS), PEOPLE)
ACQUIRE = acts([w.SEE, w.BUY], either(ANIMALS, PROPERTY))
HAVE = either(
    acts([w.SEE, w.HAVE, w.WANT], either(ANIMALS, PROPERTY)),
    acts([w.SEE], PEOPLE),
    acts([w.LIKE], PLEASURES),
)
DOING = either(DAILY, acts([w.LOOK_FOR], PROPERTY), either(GO, bare(w.SLEEP)))
DONE = either(
    ACQUIRE, acts([w.LOSE], GOODS), acts([w.EAT], MEALS), acts([w.DRINK], CUPS), GIVE,
    either(GO, bare(w.LEAVE, w.LOSE, w.WIN, w.SLEEP)),
)  # fmt: skip
PLANNED = either(ACQUIRE, DAILY, GIVE, either(GO, bare(w.LEAVE, w.WIN, w.SLEEP)))
WANT_TO = partial(c.wish, w.WANT)
PLANS = [c.future, partial(c.modal, w.CAN), partial(c.modal, w.MUST), WANT_TO]
EVENTS = either(
    clauses([c.simple], SUBJECTS, HAVE),
    clauses([c.progressive], EVERYONE, DOING),
    clauses([c.past], SUBJECTS, DONE),
    clauses(PLANS, SUBJECTS, PLANNED),
)
WITH_PRONOUNS = either(
    with_pronouns([c.simple], w.SEE, w.LOVE),
    with_pronouns([c.past], w.SEE),
    with_pronouns(PLANS, w.SEE),
)

# how they are
FEELINGS = [
    *map(c.adjective, w.MOODS),
    *(State(english, w.HAVE, (french,) * 4) for english, french in w.NEEDS),
    State("late", w.BE, ("en retard",) * 4),
]
AGES = [State(f"{en} years old", w.HAVE, (f"{fr} ans",) * 4) for en, fr in w.AGES]
LOOKS = [c.adjective(word) for word in (w.BIG, w.SMALL, w.OLD, w.BLACK)]
COMPARED = build(c.compared, [("taller", w.TALL), ("older", w.OLD)], either(w.NAMES, PERSON))
MOODS = either(states(EVERYONE, FEELINGS), build(c.at_home, SUBJECTS))
STATES = either(
    MOODS,
    states(EVERYONE, either(AGES, build(c.located, either(AT, IN)))),
    states(either(w.PRONOUNS, RELATIVES), COMPARED),
    states(nouns(DEFINITE, [*w.FOOD, *w.DRINKS]), [c.adjective(w.COLD), c.adjective(w.HOT)]),
    states(nouns([*DEFINITE, *w.MANY_POSSESSIVES], [*w.ANIMALS, *w.GOODS, w.CAR, w.HOUSE]), LOOKS),
    build(
        c.there_is,
        nouns([w.A, w.TWO, w.THREE], [*w.ANIMALS, *w.GOODS], [None, w.BIG, w.LITTLE]),
        either(AT, IN, UNDER),
    ),
)

# sentences of one clause, of two, and without a subject
MODES = [c.statement, c.negation, c.question]
TIMED = either(
    build(c.tell, MODES, clauses([c.past], SUBJECTS, DONE), w.PAST_TIMES),
    build(c.tell, MODES, clauses([c.future], SUBJECTS, PLANNED), w.FUTURE_TIMES),
    build(c.tell, MODES, either(MOODS, clauses([c.progressive], EVERYONE, DOING)), w.PRESENT_TIMES),
)
OFTEN = build(c.tell_often, w.ADVERBS, either(MOODS, clauses([c.simple], SUBJECTS, DAILY)))
LEFT = clauses([c.past, c.future], SUBJECTS, either(GO, bare(w.LEAVE)))
WHAT = either(
    clauses([c.past], EVERYONE, bare(w.EAT, w.DRINK, w.SEE, w.BUY, w.LOSE)),
    clauses([c.progressive], EVERYONE, bare(w.EAT, w.DRINK, w.READ, w.LOOK_FOR)),
    clauses([c.simple], EVERYONE, bare(w.SEE, w.WANT)),
)
WHO = either(
    states(w.WHO, either(FEELINGS, COMPARED)),
    clauses([c.simple], w.WHO, HAVE),
    clauses([c.past], w.WHO, DONE),
    clauses(PLANS, w.WHO, PLANNED),
)
ASKED = either(
    build(c.ask, [("why", "pourquoi")], either(MOODS, clauses([c.past], SUBJECTS, DONE))),
    build(c.ask, [("when", "quand")], LEFT),
    build(c.ask, [("where", "où")], clauses([c.past, c.progressive], EVERYONE, bare(w.GO))),
    build(c.ask, [("what", "que")], WHAT),
    build(c.ask_where, either(KIN, nouns(w.POSSESSIVES, [*w.ANIMALS, *w.GOODS, w.CAR]))),
    build(c.ask_age, KIN),
    build(c.ask_who, WHO),
)
COMMANDS = either(
    either(DAILY, GO),
    acts([w.OPEN, w.CLOSE], nouns([w.THE, *w.POSSESSIVES], w.DOORS)),
    build(c.take_pronoun, [w.LOOK_AT], [*w.HIM_HER_THEM, w.ME, w.US]),
    build(c.give_pronoun, [*w.HIM_HER_THEM, w.ME, w.US], nouns(DEFINITE, w.GOODS)),
)
ORDERS = either(
    build(c.order, [c.command, c.forbid], COMMANDS),
    build(c.order, [c.suggest], either(DAILY, GO)),
    build(c.order_if, states(either([w.YOU, w.HE, w.SHE, w.THEY], w.NAMES), FEELINGS), COMMANDS),
)
SAY, SAY_NOT = [c.statement], [c.statement, c.negation]
FELT = said(SAY_NOT, states(w.PRONOUNS, FEELINGS))
MEANT = said(SAY, clauses([c.progressive, WANT_TO], SUBJECTS, either(DAILY, GO)))
GONE = said(SAY, clauses([c.past, c.future], w.PRONOUNS, GO))
JOINED = either(
    build(c.join, FELT, [("and", "et"), (", but", ", mais")], said(SAY_NOT, states(KIN, FEELINGS))),
    build(c.join, MEANT, [("because", "parce que")], FELT),
    build(c.think, OTHERS, either(FELT, GONE)),
)
SENTENCES = either(
    build(c.tell, MODES, STATES),
    build(c.tell, MODES, EVENTS),
    build(c.tell, MODES, WITH_PRONOUNS),
    TIMED, OFTEN, ASKED, ORDERS, JOINED, w.FIXED,
)  # fmt: skip


def phrases(num: int, seed: int = 0) -> list[Pair]:
    """Distinct pairs of English and French; a longer list begins with the shorter one.

    Raises:
        UsageError: if the number is negative or larger than the number of pairs.
    """
    if num < 0:
        raise UsageError(f"no list has a negative length, got num={num}: pass >= 0")
    if num > SENTENCES.size:
        raise UsageError(f"the phrasebook has {SENTENCES.size} pairs: pass fewer than num={num}")
    chance = Random(seed).random
    pairs: dict[Pair, None] = {}  # an ordered set
    while len(pairs) < num:
        pairs[SENTENCES.draw(lambda bound: int(chance() * bound))] = None
    return list(pairs)
