"""The words of the phrasebook in English and French: how they bend, and how they meet."""

import re
from typing import NamedTuple


class Noun(NamedTuple):
    """A noun in both languages, with its French gender and its plurals."""

    en: str
    fr: str
    feminine: bool
    en_plural: str
    fr_plural: str


class Adjective(NamedTuple):
    """An adjective whose French forms are masculine, feminine, and the plurals of both."""

    en: str
    forms: tuple[str, ...]


class Verb(NamedTuple):
    """A verb: eat, eats, eating, ate; manger, mangé, and its present for je, tu, il, nous, ils."""

    en: str
    third: str
    ing: str
    past: str
    infinitive: str
    participle: str
    present: tuple[str, ...]

    @property
    def imperative(self) -> str:
        """What a friend is told: verbs in -er, aller among them, use the third person's form."""
        return self.present[2 if self.infinitive.endswith("er") else 0]


class Determiner(NamedTuple):
    """An article, a possessive or a number, whose French form depends on the noun's gender."""

    en: str
    masculine: str
    feminine: str
    plural: bool = False


class Phrase(NamedTuple):
    """A noun phrase or a pronoun, and what verbs, adjectives and participles agree with."""

    en: str
    fr: str
    person: int = 2  # je, tu, il or elle, nous, ils or elles
    feminine: bool = False
    denied: str = ""  # French after a negation, where that differs: un chien, but pas de chien

    @property
    def agreement(self) -> int:
        """Which of an adjective's forms goes with it."""
        return 2 * (self.person > 2) + self.feminine


class Pronoun(NamedTuple):
    """A pronoun as an object: see him, le voir; give him, lui donner."""

    en: str
    fr: str
    dative: str
    agreement: int = 0


# before a vowel or an h, which is silent in every word here
_BEFORE_VOWEL = {"je": "j'", "le": "l'", "la": "l'", "de": "d'", "ne": "n'", "me": "m'", "te": "t'",
                 "que": "qu'", "ce": "cet ", "ma": "mon ", "ta": "ton ", "sa": "son "}  # fmt: skip
_VOWEL = r"(?i:[aehiouàâéèêîôûœ]|y\b)"
_ELISION = re.compile(rf"(?<![\w-])({'|'.join(_BEFORE_VOWEL)}) (?={_VOWEL})")
_CONTRACTED = {"de le": "du", "de les": "des", "à le": "au", "à les": "aux",
               "si il": "s'il", "si ils": "s'ils"}  # fmt: skip
_CONTRACTION = re.compile(rf"\b({'|'.join(_CONTRACTED)})\b")
_MASCULINE_BEFORE_VOWEL = {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil"}


def meet(text: str) -> str:
    """French words as they are written next to each other.

    >>> meet("je ai donné le livre à le ami de ma amie")
    "j'ai donné le livre à l'ami de mon amie"
    """
    text = _ELISION.sub(lambda match: _BEFORE_VOWEL[match[1]], text)
    return _CONTRACTION.sub(lambda match: _CONTRACTED[match[1]], text)


def noun_phrase(
    determiner: Determiner,
    noun: Noun,
    before: Adjective | None = None,
    after: Adjective | None = None,
) -> Phrase:
    """The big black dogs, les grands chiens noirs: of two adjectives, one goes before the noun."""
    plural, agreement = determiner.plural, 2 * determiner.plural + noun.feminine
    english = [adjective.en for adjective in (before, after) if adjective]
    english.append(noun.en_plural if plural else noun.en)
    article = "an" if determiner.en == "a" and english[0][0] in "aeiou" else determiner.en
    french = [noun.fr_plural if plural else noun.fr]
    if before:
        form = before.forms[agreement]
        if agreement == 0 and re.match(_VOWEL, noun.fr):
            form = _MASCULINE_BEFORE_VOWEL.get(form, form)
        french.insert(0, form)
    if after:
        french.append(after.forms[agreement])
    bent = determiner.feminine if noun.feminine else determiner.masculine
    return Phrase(
        en=" ".join([article, *english]).lstrip(),
        fr=" ".join([bent, *french]),
        person=4 if plural else 2,
        feminine=noun.feminine,
        denied=" ".join(["de", *french]) if determiner.en == "a" else "",
    )


def some(noun: Noun) -> Phrase:
    """Coffee to drink, du café; no coffee, pas de café."""
    return noun_phrase(Determiner("", "de le", "de la"), noun)._replace(denied=f"de {noun.fr}")


def called(determiner: Determiner, name: Phrase) -> Phrase:
    """My friend Anna, mon amie Anna: the name tells the friend's gender."""
    friend = noun_phrase(determiner, FRIEND_F if name.feminine else FRIEND)
    return friend._replace(en=f"{friend.en} {name.en}", fr=f"{friend.fr} {name.fr}")


def owned(owner: Phrase, noun: Noun) -> Phrase:
    """The boy's hat, le chapeau du garçon."""
    thing = noun_phrase(THE, noun)
    return thing._replace(en=f"{owner.en}'s {noun.en}", fr=f"{thing.fr} de {owner.fr}")


def _nouns(text: str) -> list[Noun]:
    """Nouns from "man/men homme m, …"; a plural that is not given takes an s."""
    nouns = []
    for entry in text.split(","):
        en, fr, gender = entry.split()
        (one_en, _, more_en), (one_fr, _, more_fr) = en.partition("/"), fr.partition("/")
        plurals = more_en or one_en + "s", more_fr or one_fr + "s"
        nouns.append(Noun(one_en, one_fr, gender == "f", *plurals))
    return nouns


def _adjectives(text: str) -> list[Adjective]:
    """Adjectives from "red rouge, white blanc/blanche, …"; forms that are not given are regular."""
    adjectives = []
    for entry in text.split(","):
        en, fr = entry.split()
        he, *given = fr.split("/")
        she, *plurals = given or [he.removesuffix("e") + "e"]
        adjectives.append(Adjective(en, (he, she, *(plurals or (he + "s", she + "s")))))
    return adjectives


def _verb(english: str, french: str, particle: str = "") -> Verb:
    """A verb by its forms as in `Verb`; of a regular one in -er, the infinitive is enough."""
    base, third, ing, past = (f"{form} {particle}".rstrip() for form in english.split())
    infinitive, *bent = french.split()
    if not bent:
        stem = infinitive.removesuffix("er")
        soft = "e" if stem.endswith("g") else ""
        bent = [stem + end for end in ("é", "e", "es", "e", soft + "ons", "ent")]
    return Verb(base, third, ing, past, infinitive, bent[0], tuple(bent[1:]))


THE, A, THIS, ANY = (
    Determiner("the", "le", "la"), Determiner("a", "un", "une"),
    Determiner("this", "ce", "cette"), Determiner("", "le", "la"),
)  # fmt: skip
POSSESSIVES = [
    Determiner("my", "mon", "ma"), Determiner("your", "ton", "ta"), Determiner("his", "son", "sa"),
    Determiner("her", "son", "sa"), Determiner("our", "notre", "notre"),
]  # fmt: skip
MANY_THE, MANY_THESE, MANY_ANY, TWO, THREE, *MANY_POSSESSIVES = (
    Determiner(en, fr, fr, plural=True)
    for en, fr in (
        ("the", "les"), ("these", "ces"), ("", "les"), ("two", "deux"), ("three", "trois"),
        ("my", "mes"), ("your", "tes"), ("his", "ses"), ("her", "ses"), ("our", "nos"),
    )
)  # fmt: skip

PRONOUNS = FIRST, YOU, HE, SHE, WE, THEY = [
    Phrase("I", "je", 0), Phrase("you", "tu", 1), Phrase("he", "il"),
    Phrase("she", "elle", feminine=True), Phrase("we", "nous", 3), Phrase("they", "ils", 4),
]  # fmt: skip
WHO = [Phrase("who", "qui")]
NAMES = [
    Phrase("Tom", "Tom"), Phrase("Mary", "Marie", feminine=True),
    Phrase("Anna", "Anna", feminine=True),
]  # fmt: skip
HIM_HER_THEM = [
    Pronoun("him", "le", "lui"), Pronoun("her", "la", "lui", 1), Pronoun("them", "les", "leur", 2)
]  # fmt: skip
ME_YOU_US = ME, YOU_TOO, US = [
    Pronoun("me", "me", "me"), Pronoun("you", "te", "te"), Pronoun("us", "nous", "nous", 2)
]  # fmt: skip

ADULTS = _nouns("man/men homme m, woman/women femme f, doctor médecin m")
CHILDREN = _nouns("boy garçon m, girl fille f")
SIBLINGS = _nouns("brother frère m, sister sœur f")
PARENTS = _nouns("mother mère f, father père m")
FRIEND, FRIEND_F = _nouns("friend ami m, friend amie f")
ANIMALS = _nouns("cat chat m, dog chien m, horse cheval/chevaux m, bird oiseau/oiseaux m")
READING = _nouns("book livre m, letter lettre f")
GOODS = [*READING, *_nouns("key clé f, hat chapeau/chapeaux m")]
CAR, HOUSE, TREE = _nouns("car voiture f, house maison f, tree arbre m")
FRUIT = _nouns("apple pomme f")
FOOD = _nouns("bread pain m, soup soupe f")
DRINKS = _nouns("water eau f, milk lait m, coffee café m, tea thé m")
DOORS = _nouns("door porte f, window fenêtre f")
PLACES = _nouns("school école f, station gare f, market marché m, hospital hôpital m")

BIG, TALL, LITTLE, SMALL, OLD, NEW = _adjectives(
    "big grand, tall grand, little petit, small petit, old vieux/vieille/vieux/vieilles,"
    " new nouveau/nouvelle/nouveaux/nouvelles"
)
RED, BLACK, COLD, HOT = _adjectives("red rouge, black noir, cold froid, hot chaud")
MOODS = _adjectives(
    "tired fatigué, happy heureux/heureuse/heureux/heureuses, sad triste, ill malade"
)
NEEDS = (  # what one has in French and is in English
    ("hungry", "faim"), ("thirsty", "soif"), ("cold", "froid"), ("hot", "chaud"),
    ("right", "raison"), ("wrong", "tort"), ("afraid", "peur"), ("sleepy", "sommeil"),
)  # fmt: skip
AGES = (("two", "deux"), ("ten", "dix"), ("twenty", "vingt"))

GO = _verb("go goes going went", "aller allé vais vas va allons vont")
LEAVE = _verb("leave leaves leaving left", "partir parti pars pars part partons partent")
SEE = _verb("see sees seeing saw", "voir vu vois vois voit voyons voient")
LOVE = _verb("love loves loving loved", "aimer")
LIKE = _verb("like likes liking liked", "aimer")
LOOK_FOR = _verb("look looks looking looked", "chercher", "for")
LOOK_AT = _verb("look looks looking looked", "regarder", "at")
READ = _verb("read reads reading read", "lire lu lis lis lit lisons lisent")
EAT = _verb("eat eats eating ate", "manger")
DRINK = _verb("drink drinks drinking drank", "boire bu bois bois boit buvons boivent")
BUY = _verb("buy buys buying bought", "acheter acheté achète achètes achète achetons achètent")
LOSE = _verb("lose loses losing lost", "perdre perdu perds perds perd perdons perdent")
WIN = _verb("win wins winning won", "gagner")
GIVE = _verb("give gives giving gave", "donner")
OPEN = _verb("open opens opening opened", "ouvrir ouvert ouvre ouvres ouvre ouvrons ouvrent")
CLOSE = _verb("close closes closing closed", "fermer")
SLEEP = _verb("sleep sleeps sleeping slept", "dormir dormi dors dors dort dormons dorment")
THINK = _verb("think thinks thinking thought", "penser")
HAVE = _verb("have has having had", "avoir eu ai as a avons ont")
WANT = _verb("want wants wanting wanted", "vouloir voulu veux veux veut voulons veulent")
CAN = _verb("can can - -", "pouvoir pu peux peux peut pouvons peuvent")
MUST = _verb("must must - -", "devoir dû dois dois doit devons doivent")
MOTION = (GO, LEAVE)  # these go with être
BE = _verb("be is being was", "être été suis es est sommes sont")

PAST_TIMES = (("yesterday", "hier"), ("this morning", "ce matin"))
PRESENT_TIMES = (("now", "maintenant"), ("today", "aujourd'hui"))
FUTURE_TIMES = (("tomorrow", "demain"), ("this evening", "ce soir"))
ADVERBS = (("always", "toujours"), ("often", "souvent"), ("never", "jamais"))
FIXED = (
    ("Go!", "Va !"), ("Run!", "Cours !"), ("Help!", "À l'aide !"), ("Hi.", "Salut."),
    ("Wow!", "Ça alors !"), ("Thank you.", "Merci."), ("Me too.", "Moi aussi."),
    ("And you?", "Et toi ?"), ("Not me.", "Pas moi."), ("Not now.", "Pas maintenant."),
    ("Not today.", "Pas aujourd'hui."), ("Who?", "Qui ?"), ("Why?", "Pourquoi ?"),
    ("Why not?", "Pourquoi pas ?"), ("Where?", "Où ?"), ("When?", "Quand ?"),
)  # fmt: skip
