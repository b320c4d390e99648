"""tales: an endless English text from a small story grammar, a stand-in for The Time Machine.

A slot {word} is filled with what the tale remembers under that name (its hero, the wished thing,
how many trials were foretold …), else with one of the grammar's alternatives: so a name, a pronoun
or a promise made at the beginning of a paragraph comes back at its end.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

from freedive.core.errors import UsageError
from freedive.data.tale_words import ASIDES, GROUND, WORDS, entries

VERSION = "tales-1"  # goes into cache keys: changes whenever a character of the text does

Memory = dict[str, str]

# what can be told at each turn of a tale, each as often as the others
TURNS = {
    "opening": entries(
        """There was once a {trait} {kind} called {hero}, who lived in the {town} of {name} with
        {his} {relative}.
        |Long ago, in the {town} of {name}, there lived a {kind} whose name was {hero}.
        |{hero} was a {kind} in the {town} of {name}, and {he} was as {trait} as {he} was {trait}.
        |In the {town} of {name}, at the {part} of the {country}, lived {hero} the {kind} and {his}
        {humour} {relative}.
        |Nobody in the {town} of {name} was so {trait} as {hero}, the {kind}.
        |My grandmother knew a {trait} {kind} by the name of {hero}; {he} had a house in the {town}
        of {name}, on the road to the {country}."""
    ),
    "longing": entries(
        """More than anything in the world {he} wanted a {wish}, for {reason}.
        |{He} owned a {thing} and a {thing}, but what {he} longed for was a {wish}.
        |One {morning} {his} {relative} spoke of a {wish}, and from that day on {hero} thought of
        nothing else.
        |Every night {he} dreamed of a {wish}, because {reason}.
        |{He} made up {his} mind to look for a {wish}, since {reason}.
        |All {he} needed was a {wish}; but who, in a {town} like {name}, would sell {him} one?"""
    ),
    "leaving": entries(
        """So {he} packed a {thing} and some bread, kissed {his} {relative} and {walked} {along} the
        {country}.
        |The next {morning} {he} locked the door, gave the key to {his} {relative} and {walked}
        {slowly} {along} the {country}.
        |"I shall be back before the {bird} sings again," {he} said to {his} {relative}, and with
        these words {he} left the {town}.
        |{He} took nothing but a {thing}, and {walked} for {some} {miles} {along} the {country}.
        |"Do not go," begged {his} {relative}; but {hero} {walked} away {slowly}.
        |"If I am not back in {some} {days}, sell my {object}," {he} said, and {walked} {slowly}
        {along} the {country}."""
    ),
    "meeting": entries(
        """At the {part} of the {country} {he} met a {humour} {guide}.
        |Beside a {spot} sat a {humour} {guide} with a {thing}.
        |There, at the {part} of the {country}, stood a {guide}, and {hero} was {feeling}.
        |After {some} {days} {he} saw a {humour} {guide}, who was {feeling} and asked for some
        bread; and {hero} shared what {he} had.
        |{He} came to a {spot} in the {ground}, and beside it stood a {guide} in a {colour} coat.
        |"Help!" cried somebody in a well. {hero} let down {his} belt and pulled out a {humour}
        {guide}."""
    ),
    "question": entries(
        """"Where are you going, {hero}?" {asked} the {guide}.
        |"What does a {kind} want in this part of the world?" {asked} the {guide}.
        |"You look {feeling}," said the {guide}. "What are you looking for?"
        |The {guide} looked at {him} for a while and asked what {he} wanted.
        |"I knew your {relative} when we were young," said the {guide}. "What brings you here?"
        |"Have you nothing to do in {name}?" {asked} the {guide}."""
    ),
    "answer": entries(
        """"I am looking for a {wish}," {said} {hero}, "and I shall not rest until I have found it."
        |"For a {wish}," {said} {hero}. "Have you seen one?"
        |"I am only a {kind} from {name}," {he} {said}, "but I must find a {wish}."
        |{hero} told the story of the {wish} from the beginning.
        |"I want a {wish}," {he} {said}, "because I have dreamed of it for {some} nights."
        |"They say that {riches} can buy a {wish}," {said} {hero}, "but I have no more than {some}
        coins." """
    ),
    "advice": entries(
        """"Then go home," {said} the {guide}, "for the {wish} lies in the {room} of your own house,
        and nobody has ever looked there." {hero} {walked} back to {name} {slowly}, and there it
        lay, in the {room}, behind a {thing}.
        |"I had a {wish} once," said the {guide}, "but a {watcher} took it from me, and I have
        been happier since." {hero} thought about this for {some} {days} and {walked} home to
        {name}.
        |The {guide} laughed. "Everybody wants a {wish}, and I want nothing but your {relative}'s
        soup." So they {walked} to {name} together, and the {guide} became the friend of {hero} the
        {kind}."""
    ),
    "promise": entries(
        """"It lies at the {corner} of the {place}," {said} the {guide}, "behind a {barrier}, and a
        {watcher} sleeps in front of it. You must try {number} times. Take this {gift} with you."
        |"Then go to the {corner} of the {place}," {said} the {guide}. "There is a {barrier}, and a
        {watcher} that never sleeps. Nobody has passed it in fewer than {number} trials; but take
        this {gift}, for you will need it."
        |The {guide} gave {him} a {gift} and spoke of a {barrier} at the {corner} of the {place},
        which was kept by a {watcher}. "Try {number} times," {said} the {guide}, "and do not lose
        the {gift}." """
    ),
    "arrival": entries(
        """{hero} thanked the {guide} and {walked} to the {place}, and there stood the {barrier}.
        |It took {him} {some} days to reach the {place}, and the {barrier} was higher than {he} had
        feared.
        |The {guide} was right: at the {corner} of the {place} {he} found the {barrier} and the
        {watcher}."""
    ),
    "trial": entries(
        """The {nth} time {he} tried {method}, but {setback}.
        |{He} tried {method}, and {setback}; that was the {nth} time.
        |When {hero} came for the {nth} time, {he} wanted {method}, but {setback}.
        |At the {nth} trial {setback}, and {he} had to go back.
        |The {nth} trial was a matter of {some} {days}, and the end of it was that {setback}."""
    ),
    "success": entries(
        """The {nth} time {he} remembered the {gift}. The {watcher} looked at it and stepped aside,
        the {barrier} opened, and {hero} held the {wish} in {his} hands.
        |Then, for the {nth} time, {hero} stood before the {barrier}. {He} took the {gift} which the
        {guide} had given {him}, and before the {watcher} could move {he} had found the {wish}.
        |But the {nth} time {he} gave the {gift} to the {watcher}, and the {watcher} brought {him}
        the {wish}. "Nobody was ever kind to me before," {said} the {watcher}."""
    ),
    "failure": entries(
        """The {nth} time {he} had lost the {gift}, and the {watcher} would not let {him} pass.
        {hero} never saw the {wish}.
        |Before the {nth} time {he} sold the {gift} for {some} coins, and so the {barrier} stayed
        closed and the {wish} stayed behind it.
        |The {nth} time {he} forgot what the {guide} had said and left the {gift} beside a {spot}.
        The {watcher} took the {wish} and was never seen again."""
    ),
    "return": entries(
        """{hero} {walked} home to {name} with the {wish}, and {his} {relative} wept for joy.
        |When {hero} came back to the {town}, {he} put the {wish} in the {room}, and there it can be
        seen to this day.
        |"Here is the {wish}," said {hero} to {his} {relative} when {he} came home to {name}, and
        {he} was never {feeling} again.
        |{hero} gave the {wish} to {his} {relative} and stayed a {kind} in the {town} of {name} as
        before, only happier."""
    ),
    "empty hands": entries(
        """{hero} {walked} home to {name} without the {wish}, and {his} {relative} asked no
        questions.
        |"There are other things than a {wish}," said {his} {relative} when {hero} came back
        to the {town}; and after {some} {days} {he} laughed about it.
        |So {hero} stayed a {kind} in the {town} of {name}, and told everybody about the {watcher}
        and the {barrier}."""
    ),
    "moral": entries(
        """For {virtue} is worth more than {riches}.
        |And the {guide}, when asked about it, only said, "{Virtue} goes further than {riches}."
        |That is how {hero} the {kind} learned that {riches} cannot buy {virtue}.
        |And if {he} has not forgotten the {guide}, {he} still tells the story of the {wish}.
        |Where there is {virtue}, they say in {name}, there is no need of {riches}.
        |If you ever meet a {guide}, ask about the {wish}, but do not speak of {riches}.
        |"You see, {virtue} was all I needed," said {hero} in {his} old age."""
    ),
}

_CAST = ("kind", "relative", "guide", "watcher", "barrier", "gift", "town", "name", "room")
_SHE = {"he": "she", "him": "her", "his": "her", "himself": "herself"}
_HE = {word: word for word in _SHE}
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_TRIALS = {"three": 3, "four": 4, "five": 5}

_SLOT = re.compile(r"\{([^}]+)\}")
_A_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou])")  # the words have neither hours nor unicorns


def _zipf(words: Sequence[str]) -> list[str]:
    """A deck in which the word of rank r lies about 1/r times as often as the first."""
    return [word for rank, word in enumerate(words, 2) for _ in range(4 * len(words) // rank)]


_DECKS = {slot: _zipf(words) for slot, words in {**WORDS, **GROUND}.items()} | ASIDES | TURNS


class _Tale:
    """One story in the telling: what it remembers, and what was drawn last for each slot."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.chance = chance
        self.last: Memory = {}
        self.memory = {slot: self.draw(slot) for slot in _CAST}
        pronouns, name = (_SHE, "woman") if chance() < 0.5 else (_HE, "man")
        self.memory |= pronouns | {"hero": self.draw(f"name of a {name}")}
        self.memory["corner"] = self.draw("part")
        self.memory["wish"] = f"{self.draw('look')} {self.draw('object')}"
        self.travel(self.draw("country"))

    def travel(self, country: str) -> None:
        """Go on in another country: from now on its scenery is seen."""
        self.memory |= {"country": country, "ground": f"{{{country}}}"}

    def pick(self, deck: Sequence[str]) -> str:
        """One entry; only `random()` itself is promised to be equal in every Python."""
        return deck[int(self.chance() * len(deck))]

    def draw(self, slot: str) -> str:
        """An entry for a slot, other than the last one: nobody is tired and tired."""
        while (entry := self.pick(_DECKS[slot])) == self.last.get(slot):
            pass
        self.last[slot] = entry
        return entry

    def tell(self, slot: str) -> str:
        """The words that fill a slot."""
        return _SLOT.sub(self._fill, self.memory.get(slot) or self.draw(slot))

    def _fill(self, match: re.Match[str]) -> str:
        words = self.tell(match[1].lower())
        return words if match[1].islower() else words[0].upper() + words[1:]

    def beats(self) -> Iterator[str]:
        """What happens, one slot at a time; what is remembered changes between them."""
        yield from ("opening", "longing", "leaving", *self.pauses())
        yield from ("meeting", "question", "answer")
        if self.chance() < 0.3:
            yield from ("advice", "moral")
            return
        self.memory["number"] = number = self.pick(tuple(_TRIALS))
        self.memory["place"] = place = self.draw("country")
        yield "promise"
        self.travel(place)
        yield from (*self.pauses(), "arrival")
        *failed, last = _ORDINALS[: _TRIALS[number]]
        for self.memory["nth"] in failed:
            yield "trial"
        self.memory["nth"] = last
        yield from ("success", "return") if self.chance() < 0.6 else ("failure", "empty hands")
        yield "moral"

    def pauses(self) -> list[str]:
        """None to three sentences between two events."""
        return [self.pick(("scene", "thought")) for _ in range(int(self.chance() * 4))]


def stories(seed: int = 0) -> Iterator[str]:
    """Stories without end, each of them a paragraph; equal on every machine."""
    chance = Random(seed).random
    while True:
        tale = _Tale(chance)
        paragraph = " ".join(tale.tell(beat) for beat in tale.beats())
        yield _A_BEFORE_VOWEL.sub(r"\1n ", paragraph)


def tell_tale(num_chars: int, seed: int = 0) -> str:
    """The first characters of an endless text: a longer one begins with the shorter one.

    Raises:
        UsageError: if the number of characters is negative.
    """
    if num_chars < 0:
        raise UsageError(f"no tale has a negative length, got num_chars={num_chars}: pass >= 0")
    told, length = [], 0
    for paragraph in stories(seed):
        if length >= num_chars:
            break
        told.append(paragraph)
        length += len(paragraph) + 2
    return "\n\n".join(told)[:num_chars]
