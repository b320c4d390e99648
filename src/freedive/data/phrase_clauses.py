"""How a subject, a verb and its objects become a sentence of the phrasebook, in English and French.

An act or a state is bent to its subject as a clause; the clause is stated, denied or asked.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from freedive.data import phrase_words as w
from freedive.data.phrase_words import Adjective, Phrase, Pronoun, Verb, meet

Pair = tuple[str, str]  # English, French
Mode = Callable[["Clause"], Pair]


class Act(NamedTuple):
    """A verb with its objects; in French a pronoun goes before the verb, anything else after it."""

    verb: Verb
    en: str = ""
    fr: str = ""
    denied: str = ""  # fr after a negation
    pronoun: str = ""
    agreement: int = 0  # of the participle with the pronoun: je les ai vus


class Clause(NamedTuple):
    """A subject and what is said of it, open where negations and questions step in."""

    subject: Phrase
    auxiliary: str  # does
    rest: str  # see the dog
    verb: str  # voit
    tail: str  # le chien
    denied: str  # tail after a negation
    plain: str = ""  # sees the dog; else the auxiliary and the rest


class State(NamedTuple):
    """How somebody is: tired, être fatigué; hungry, avoir faim."""

    en: str
    verb: Verb
    forms: Sequence[str]  # one for each agreement


_AM = ("am", "are", "is", "are", "are")


def take(verb: Verb, thing: Phrase) -> Act:
    """See the dog, voir le chien."""
    return Act(verb, thing.en, thing.fr, thing.denied or thing.fr)


def take_pronoun(verb: Verb, pronoun: Pronoun) -> Act:
    """See him, le voir."""
    return Act(verb, pronoun.en, pronoun=pronoun.fr, agreement=pronoun.agreement)


def give(thing: Phrase, person: Phrase) -> Act:
    """Give the book to the boy, donner le livre au garçon."""
    to = f" à {person.fr}"
    return Act(w.GIVE, f"{thing.en} to {person.en}", thing.fr + to, (thing.denied or thing.fr) + to)


def give_pronoun(pronoun: Pronoun, thing: Phrase) -> Act:
    """Give him the book, lui donner le livre."""
    act = take(w.GIVE, thing)
    return act._replace(en=f"{pronoun.en} {thing.en}", pronoun=pronoun.dative)


def stand(preposition: Pair, place: Phrase) -> Pair:
    """In the house, dans la maison."""
    return f"{preposition[0]} {place.en}", f"{preposition[1]} {place.fr}"


def go_to(place: Phrase) -> Act:
    """Go to the market, aller au marché."""
    return Act(w.GO, f"to {place.en}", f"à {place.fr}", f"à {place.fr}")


def want_to(verb: Verb, act: Act) -> Act:
    """Want to see him, vouloir le voir: the object of the infinitive stays with it."""
    infinitive = f"{act.pronoun} {act.verb.infinitive}"
    english = f"to {act.verb.en} {act.en}"
    return Act(verb, english, f"{infinitive} {act.fr}", f"{infinitive} {act.denied}")


def simple(subject: Phrase, act: Act) -> Clause:
    """He sees the dog."""
    verb, third = act.verb, subject.person == 2
    return Clause(
        subject, "does" if third else "do", f"{verb.en} {act.en}",
        f"{act.pronoun} {verb.present[subject.person]}", act.fr, act.denied,
        f"{verb.third if third else verb.en} {act.en}",
    )  # fmt: skip


def progressive(subject: Phrase, act: Act) -> Clause:
    """He is eating the apple; French does not tell it from the simple present."""
    auxiliary, rest = _AM[subject.person], f"{act.verb.ing} {act.en}"
    return simple(subject, act)._replace(auxiliary=auxiliary, rest=rest, plain="")


def past(subject: Phrase, act: Act) -> Clause:
    """He saw the dog, il a vu le chien; she arrived, elle est arrivée."""
    moves = act.verb in w.MOTION
    auxiliary, agreement = (w.BE, subject.agreement) if moves else (w.HAVE, act.agreement)
    participle = act.verb.participle + ("", "e", "s", "es")[agreement]
    return Clause(
        subject, "did", f"{act.verb.en} {act.en}",
        f"{act.pronoun} {auxiliary.present[subject.person]}", f"{participle} {act.fr}",
        f"{participle} {act.denied}", f"{act.verb.past} {act.en}",
    )  # fmt: skip


def modal(verb: Verb, subject: Phrase, act: Act) -> Clause:
    """He can see the dog, il peut voir le chien."""
    french = want_to(verb, act)
    finite = verb.present[subject.person]
    return Clause(subject, verb.en, f"{act.verb.en} {act.en}", finite, french.fr, french.denied)


def wish(verb: Verb, subject: Phrase, act: Act) -> Clause:
    """He wants to see the dog, il veut voir le chien."""
    return simple(subject, want_to(verb, act))


def future(subject: Phrase, act: Act) -> Clause:
    """He is going to see the dog, il va voir le chien."""
    auxiliary = _AM[subject.person]
    return modal(w.GO, subject, act)._replace(
        auxiliary=auxiliary, rest=f"going to {act.verb.en} {act.en}"
    )


def be(subject: Phrase, state: State) -> Clause:
    """He is tired, il est fatigué; he is hungry, il a faim."""
    tail = state.forms[subject.agreement]
    finite = state.verb.present[subject.person]
    return Clause(subject, _AM[subject.person], state.en, finite, tail, tail)


def adjective(word: Adjective) -> State:
    """Tired, être fatigué."""
    return State(word.en, w.BE, word.forms)


def located(place: Pair) -> State:
    """In the house, être dans la maison."""
    return State(place[0], w.BE, (place[1],) * 4)


def compared(words: tuple[str, Adjective], other: Phrase) -> State:
    """Taller than Tom, être plus grand que Tom."""
    english, adjective = words
    forms = [f"plus {form} que {other.fr}" for form in adjective.forms]
    return State(f"{english} than {other.en}", w.BE, forms)


def at_home(subject: Phrase) -> Clause:
    """I am at home, je suis chez moi."""
    he, they = ("elle", "elles") if subject.feminine else ("lui", "eux")
    own = ("moi", "toi", he, "nous", they)[subject.person]
    return be(subject, State("at home", w.BE, (f"chez {own}",) * 4))


def there_is(thing: Phrase, place: Pair) -> Clause:
    """There is a cat in the house, il y a un chat dans la maison."""
    (english, french), denied = place, thing.denied or thing.fr
    return Clause(
        Phrase("there", "il"), _AM[thing.person], f"{thing.en} {english}",
        "y a", f"{thing.fr} {french}", f"{denied} {french}",
    )  # fmt: skip


def statement(clause: Clause) -> Pair:
    """The subject first."""
    said = clause.plain or f"{clause.auxiliary} {clause.rest}"
    return f"{clause.subject.en} {said}", f"{clause.subject.fr} {clause.verb} {clause.tail}"


def negation(clause: Clause) -> Pair:
    """He does not see the dog, il ne voit pas le chien."""
    return (
        f"{clause.subject.en} {clause.auxiliary} not {clause.rest}",
        f"{clause.subject.fr} ne {clause.verb} pas {clause.denied}",
    )


def question(clause: Clause) -> Pair:
    """Does he see the dog, est-ce qu'il voit le chien."""
    return (
        f"{clause.auxiliary} {clause.subject.en} {clause.rest}",
        f"est-ce que {clause.subject.fr} {clause.verb} {clause.tail}",
    )


def command(act: Act) -> Pair:
    """Eat the apple, mange la pomme; look at me, regarde-moi."""
    pronoun = {"": "", "me": "-moi"}.get(act.pronoun, f"-{act.pronoun}")
    return f"{act.verb.en} {act.en}", f"{act.verb.imperative}{pronoun} {act.fr}"


def forbid(act: Act) -> Pair:
    """Do not look at me, ne me regarde pas."""
    denied = f"ne {act.pronoun} {act.verb.imperative} pas {act.denied}"
    return f"do not {act.verb.en} {act.en}", denied


def suggest(act: Act) -> Pair:
    """Let us eat the apple, mangeons la pomme."""
    return f"let us {act.verb.en} {act.en}", f"{act.verb.present[3]} {act.fr}"


def write(pair: Pair, mark: str) -> Pair:
    """Both sides as they stand in a file of sentence pairs: Va ! has a space where Go! has none."""
    english, french = (" ".join(side.split()).replace(" ,", ",") for side in pair)
    english, french = english.replace("can not", "cannot"), meet(french)
    space = "" if mark == "." else " "
    return english[0].upper() + english[1:] + mark, french[0].upper() + french[1:] + space + mark


def tell(mode: Mode, clause: Clause, when: Pair = ("", "")) -> Pair:
    """A statement, a negation or a question, with the time at its end."""
    english, french = mode(clause)
    mark = "?" if mode is question else "."
    return write((f"{english} {when[0]}", f"{french} {when[1]}"), mark)


def tell_often(adverb: Pair, clause: Clause) -> Pair:
    """He often eats, il mange souvent; he is never late, il n'est jamais en retard."""
    (english, french), (subject, auxiliary, rest, verb, tail, denied, plain) = adverb, clause
    said = f"{english} {plain}" if plain else f"{auxiliary} {english} {rest}"
    never = french == "jamais"
    translated = f"ne {verb} jamais {denied}" if never else f"{verb} {french} {tail}"
    return write((f"{subject.en} {said}", f"{subject.fr} {translated}"), ".")


def ask(word: Pair, clause: Clause) -> Pair:
    """Why does he go, pourquoi est-ce qu'il va; what does he see, qu'est-ce qu'il voit."""
    english, french = question(clause)
    return write((f"{word[0]} {english}", f"{word[1]} {french}"), "?")


def ask_who(clause: Clause) -> Pair:
    """Who sees the dog, qui voit le chien."""
    return write(statement(clause), "?")


def ask_where(thing: Phrase) -> Pair:
    """Where are my keys, où sont mes clés."""
    english, french = _AM[thing.person], w.BE.present[thing.person]
    return write((f"where {english} {thing.en}", f"où {french} {thing.fr}"), "?")


def ask_age(person: Phrase) -> Pair:
    """How old is Tom, quel âge a Tom."""
    english, french = _AM[person.person], w.HAVE.present[person.person]
    return write((f"how old {english} {person.en}", f"quel âge {french} {person.fr}"), "?")


def order(mode: Callable[[Act], Pair], act: Act) -> Pair:
    """A command, a ban or a suggestion."""
    return write(mode(act), "!")


def order_if(clause: Clause, act: Act) -> Pair:
    """If he is hungry, eat the bread; s'il a faim, mange le pain."""
    (english, french), (do, fais) = statement(clause), command(act)
    return write((f"if {english}, {do}", f"si {french}, {fais}"), "!")


def think(subject: Phrase, said: Pair) -> Pair:
    """He thinks that she is right, il pense qu'elle a raison."""
    return join(statement(simple(subject, Act(w.THINK))), ("that", "que"), said)


def join(left: Pair, word: Pair, right: Pair) -> Pair:
    """Two clauses with a word between them."""
    english, french = (" ".join(side) for side in zip(left, word, right, strict=True))
    return write((english, french), ".")
