"""Synthetic English: sentence number n of a small grammar, for any n, the same on every machine.

The grammar has statements, questions, requests, compounds and quotations in four tenses, with
agreement of subject and verb; a verb is given objects that it can take. It knows some six hundred
words, and prices and times of day. The sentences have 3 to
about 30 words and marks, are plausible one by one and mean nothing together: text to try a system
  on, not a corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

_NAMES = {
    "Anna": "she",
    "Ben": "he",
    "Carla": "she",
    "David": "he",
    "Ella": "she",
    "Frank": "he",
    "Grace": "she",
    "Hugo": "he",
    "Irene": "she",
    "Jack": "he",
    "Kate": "she",
    "Leo": "he",
    "Maria": "she",
    "Nina": "she",
    "Oscar": "he",
    "Paula": "she",
    "Ralph": "he",
    "Sara": "she",
    "Tim": "he",
    "Vera": "she",
}
_PERSONS = {
    "aunt": "she",
    "baker": "he",
    "boss": "she",
    "brother": "he",
    "cousin": "he",
    "daughter": "she",
    "doctor": "she",
    "driver": "he",
    "father": "he",
    "friend": "she",
    "grandmother": "she",
    "guest": "he",
    "mother": "she",
    "neighbor": "she",
    "nurse": "he",
    "sister": "she",
    "son": "he",
    "teacher": "she",
    "uncle": "he",
    "waiter": "he",
}
_GROUPS = ("children", "students", "parents", "players", "farmers", "visitors", "workers", "twins")
_OWNERS = ("my", "your", "his", "her", "our", "their")
_FOODS = (
    "apple",
    "bread",
    "cake",
    "cheese",
    "egg",
    "fish",
    "lemon",
    "melon",
    "omelet",
    "orange",
    "pear",
    "pie",
    "salad",
    "sandwich",
    "soup",
    "steak",
)
_MASS = ("bread", "cheese", "fish", "soup", "salad", "steak", "rice", "butter", "tea", "milk")
_THINGS = (
    "basket",
    "bicycle",
    "book",
    "bottle",
    "box",
    "camera",
    "chair",
    "clock",
    "coat",
    "cup",
    "guitar",
    "hammer",
    "hat",
    "key",
    "knife",
    "ladder",
    "lamp",
    "map",
    "mirror",
    "newspaper",
    "pen",
    "piano",
    "picture",
    "plate",
    "radio",
    "ring",
    "rope",
    "shirt",
    "suitcase",
    "table",
    "ticket",
    "umbrella",
    "vase",
    "watch",
)
_ANIMALS = (
    "bear",
    "bird",
    "cat",
    "cow",
    "dog",
    "donkey",
    "duck",
    "elephant",
    "fox",
    "frog",
    "goat",
    "horse",
    "owl",
    "rabbit",
    "sheep",
    "snake",
)
_TEXTS = (
    "letter",
    "story",
    "poem",
    "report",
    "postcard",
    "message",
    "song",
    "recipe",
    "diary",
    "speech",
)
_PLACES = (
    "airport",
    "bank",
    "beach",
    "bridge",
    "church",
    "factory",
    "farm",
    "forest",
    "garden",
    "harbor",
    "hospital",
    "hotel",
    "island",
    "kitchen",
    "lake",
    "library",
    "market",
    "museum",
    "office",
    "park",
    "restaurant",
    "river",
    "school",
    "station",
    "theater",
    "tower",
    "village",
    "zoo",
)
_CITIES = (
    "Athens",
    "Berlin",
    "Boston",
    "Cairo",
    "Lima",
    "London",
    "Madrid",
    "Oslo",
    "Paris",
    "Rome",
    "Sydney",
    "Tokyo",
)
_COLORS = ("black", "blue", "brown", "green", "grey", "red", "white", "yellow")
_QUALITIES = (
    "beautiful",
    "big",
    "broken",
    "cheap",
    "clean",
    "dirty",
    "expensive",
    "heavy",
    "interesting",
    "light",
    "new",
    "old",
    "ordinary",
    "round",
    "small",
    "strange",
    "ugly",
    "wonderful",
)
_MOODS = (
    "angry",
    "busy",
    "careful",
    "cheerful",
    "clever",
    "curious",
    "happy",
    "hungry",
    "ill",
    "kind",
    "late",
    "lonely",
    "nervous",
    "polite",
    "proud",
    "quiet",
    "ready",
    "sad",
    "shy",
    "sleepy",
    "surprised",
    "thirsty",
    "tired",
    "worried",
)
_WEATHER = ("cold", "dark", "foggy", "hot", "sunny", "warm", "windy", "wet")
_NUMBERS = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "twelve",
    "twenty",
)
_MANNERS = (
    "slowly",
    "quickly",
    "carefully",
    "quietly",
    "alone",
    "together",
    "again",
    "at once",
    "with pleasure",
    "without help",
)
_PAST = (
    "yesterday",
    "last night",
    "last week",
    "last summer",
    "this morning",
    "an hour ago",
    "a long time ago",
    "on Monday",
    "on Friday",
    "in the morning",
)
_PRESENT = (
    "every day",
    "every morning",
    "every week",
    "on Sundays",
    "in winter",
    "in the evening",
    "after school",
    "at night",
)
_NOW = ("now", "at the moment", "right now", "today")
_FUTURE = (
    "tomorrow",
    "next week",
    "next year",
    "tonight",
    "soon",
    "on Tuesday",
    "after lunch",
    "before dinner",
    "some day",
)
_MODALS = ("can", "could", "must", "should", "may", "might", "would")
_PLURALS = {
    "box": "boxes",
    "knife": "knives",
    "sandwich": "sandwiches",
    "story": "stories",
    "diary": "diaries",
    "speech": "speeches",
    "factory": "factories",
    "church": "churches",
    "library": "libraries",
    "beach": "beaches",
    "fox": "foxes",
    "sheep": "sheep",
    "watch": "watches",
}


class Verb(NamedTuple):
    """A verb's forms and what may follow it.

    base, third, past, participle: "go", "goes", "went", "going".
    object: the kind of thing it takes, a key of `_OBJECTS`; for a verb without an object, "to",
      "at" or "none".
    """

    base: str
    third: str
    past: str
    participle: str
    object: str


_VERBS = tuple(
    Verb(*line.split())
    for line in """
ask asks asked asking person
answer answers answered answering text
bake bakes baked baking food
believe believes believed believing person
borrow borrows borrowed borrowing thing
break breaks broke breaking thing
bring brings brought bringing thing
build builds built building place
buy buys bought buying thing
carry carries carried carrying thing
catch catches caught catching animal
clean cleans cleaned cleaning thing
choose chooses chose choosing thing
cook cooks cooked cooking food
dance dances danced dancing at
draw draws drew drawing animal
drive drives drove driving to
eat eats ate eating food
feed feeds fed feeding animal
find finds found finding thing
fly flies flew flying city
follow follows followed following person
forget forgets forgot forgetting text
go goes went going to
hear hears heard hearing animal
help helps helped helping person
hide hides hid hiding thing
invite invites invited inviting person
laugh laughs laughed laughing none
leave leaves left leaving place
lose loses lost losing thing
meet meets met meeting person
move moves moved moving city
order orders ordered ordering food
paint paints painted painting place
remember remembers remembered remembering person
repair repairs repaired repairing thing
read reads read reading text
rest rests rested resting at
return returns returned returning to
run runs ran running to
see sees saw seeing animal
sell sells sold selling thing
send sends sent sending text
sing sings sang singing at
sit sits sat sitting at
sleep sleeps slept sleeping at
smile smiles smiled smiling none
steal steals stole stealing thing
swim swims swam swimming none
teach teaches taught teaching person
thank thanks thanked thanking person
translate translates translated translating text
travel travels traveled traveling city
visit visits visited visiting place
wait waits waited waiting at
walk walks walked walking to
wash washes washed washing thing
watch watches watched watching animal
work works worked working at
write writes wrote writing text
""".split("\n")
    if line
)


class _Choices:
    """One number as a sequence of choices: the digits of its hash."""

    def __init__(self, number: int):
        self._rest = int.from_bytes(hashlib.sha512(b"sentence %d" % number).digest(), "big")

    def pick(self, options: Sequence):
        """One of the options."""
        self._rest, which = divmod(self._rest, len(options))
        return options[which]

    def chance(self, of: int) -> bool:
        """True once in so many times."""
        return self.pick(range(of)) == 0


class Subject(NamedTuple):
    """Who acts.

    text:    in a statement.
    third:   whether the verb takes an s.
    be:      "am", "is" or "are".
    pronoun: what stands for it in the next clause.
    """

    text: str
    third: bool
    be: str
    pronoun: str


_PRONOUNS = (
    Subject("I", False, "am", "I"),
    Subject("you", False, "are", "you"),
    Subject("he", True, "is", "he"),
    Subject("she", True, "is", "she"),
    Subject("we", False, "are", "we"),
    Subject("they", False, "are", "they"),
)


def sentence(number: int) -> str:
    """Sentence `number` of the grammar.

    Args:
      number: 0, 1, 2, ...; different numbers seldom give the same sentence.

    Returns:
      The sentence, with a capital letter and a mark at its end.

    Raises:
      ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError(f"sentence: a number from 0 on is needed, {number} was given")
    choices = _Choices(number)
    return _capitalised(choices.pick(_KINDS)(choices))


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _article(noun_phrase: str) -> str:
    return f"{'an' if noun_phrase[0] in 'aeiou' else 'a'} {noun_phrase}"


def _plural(noun: str) -> str:
    return _PLURALS.get(noun, noun + "s")


def _subject(choices: _Choices) -> Subject:
    kind = choices.pick("ppnnffg")
    if kind == "p":
        return choices.pick(_PRONOUNS)
    if kind == "n":
        name = choices.pick(tuple(_NAMES))
        return Subject(name, True, "is", _NAMES[name])
    if kind == "f":
        person = choices.pick(tuple(_PERSONS))
        return Subject(f"{choices.pick((*_OWNERS, 'the'))} {person}", True, "is", _PERSONS[person])
    return Subject(
        f"{choices.pick((*_OWNERS, 'the', 'these', 'both', 'all'))} {choices.pick(_GROUPS)}",
        False,
        "are",
        "they",
    )


def _described(choices: _Choices, nouns: Sequence[str], adjectives: Sequence[str]) -> str:
    noun = choices.pick(nouns)
    if choices.chance(2):
        noun = f"{choices.pick(adjectives)} {noun}"
    kind = choices.pick("taoon")
    if kind == "n":
        return f"{choices.pick(_NUMBERS)} {_many(noun)}"
    return {"t": f"the {noun}", "a": _article(noun), "o": f"{choices.pick(_OWNERS)} {noun}"}[kind]


def _many(noun_phrase: str) -> str:
    *adjectives, noun = noun_phrase.split()
    return " ".join((*adjectives, _plural(noun)))


def _person(choices: _Choices) -> str:
    return choices.pick(
        (
            choices.pick(tuple(_NAMES)),
            f"{choices.pick(_OWNERS)} {choices.pick(tuple(_PERSONS))}",
            choices.pick(("me", "you", "him", "her", "us", "them")),
        )
    )


def _food(choices: _Choices) -> str:
    if choices.chance(3):
        return f"{choices.pick(('some', 'the', 'enough', 'too much'))} {choices.pick(_MASS)}"
    noun = choices.pick(_FOODS)
    return choices.pick(
        (
            f"the {noun}",
            f"{choices.pick(_OWNERS)} {noun}",
            _article(f"{choices.pick(('big', 'small', 'fresh', 'cheap', 'enormous'))} {noun}"),
        )
    )


_OBJECTS = {
    "person": _person,
    "food": _food,
    "thing": lambda choices: _described(choices, _THINGS, (*_COLORS, *_QUALITIES)),
    "animal": lambda choices: _described(
        choices, _ANIMALS, (*_COLORS, "big", "small", "young", "old", "angry", "hungry")
    ),
    "text": lambda choices: _described(
        choices, _TEXTS, ("long", "short", "old", "new", "strange", "funny", "important")
    ),
    "place": lambda choices: (
        f"the {choices.pick(('', 'old ', 'new ', 'small '))}{choices.pick(_PLACES)}"
    ),
    "to": lambda choices: f"to the {choices.pick(_PLACES)}",
    "at": lambda choices: (
        f"{choices.pick(('near', 'behind', 'in front of', 'at'))} the {choices.pick(_PLACES)}"
    ),
    "city": lambda choices: f"to {choices.pick(_CITIES)}",
    "none": lambda choices: choices.pick(_MANNERS),
}


def _rest(choices: _Choices, verb: Verb, times: Sequence[str]) -> str:
    """What follows the verb."""
    words = [_OBJECTS[verb.object](choices)]
    if verb.object in ("thing", "text", "food", "animal") and choices.chance(4):
        words.append(f"{choices.pick(('at', 'near', 'behind'))} the {choices.pick(_PLACES)}")
    if choices.chance(2):
        words.append(choices.pick(times))
    return " ".join(words)


def _clause(choices: _Choices, subject: Subject | None = None) -> str:
    """Subject, verb and what follows, in one of the tenses, now and then negated."""
    subject, verb = subject or _subject(choices), choices.pick(_VERBS)
    negated = choices.chance(5)
    tense = choices.pick("ppprrfnm")
    if tense == "p":
        return (
            f"{subject.text} {f'did not {verb.base}' if negated else verb.past} "
            f"{_rest(choices, verb, _PAST)}"
        )
    if tense == "r":
        auxiliary = f"{'does' if subject.third else 'do'} not"
        often = choices.pick(("", "", "often ", "never ", "always ", "sometimes "))
        form = (
            f"{auxiliary} {verb.base}"
            if negated
            else often + (verb.third if subject.third else verb.base)
        )
        return f"{subject.text} {form} {_rest(choices, verb, _PRESENT)}"
    if tense == "f":
        return f"{subject.text} will {'not ' * negated}{verb.base} {_rest(choices, verb, _FUTURE)}"
    if tense == "n":
        return (
            f"{subject.text} {subject.be} {'not ' * negated}{verb.participle} "
            f"{_rest(choices, verb, _NOW)}"
        )
    return (
        f"{subject.text} {choices.pick(_MODALS)} {'not ' * negated}{verb.base} "
        f"{_rest(choices, verb, _FUTURE)}"
    )


def _statement(choices: _Choices) -> str:
    return f"{_clause(choices)}{choices.pick('...!')}"


def _state(choices: _Choices) -> str:
    subject = _subject(choices)
    past = {"am": "was", "is": "was", "are": "were"}[subject.be]
    degree = choices.pick(("", "very ", "too ", "so ", "not ", "a little "))
    when = (
        choices.pick(("", f" {choices.pick(_PAST)}"))
        if (was := choices.chance(2))
        else choices.pick(("", " today", " now"))
    )
    return f"{subject.text} {past if was else subject.be} {degree}{choices.pick(_MOODS)}{when}."


def _quality(choices: _Choices) -> str:
    noun, owner = (
        choices.pick((*_THINGS, *_PLACES)),
        choices.pick((*_OWNERS, "the", "this", "that")),
    )
    quality = choices.pick((*_COLORS, *_QUALITIES))
    return (
        f"{owner} {noun} {choices.pick(('is', 'was', 'looks', 'became'))} "
        f"{choices.pick(('', 'very ', 'rather '))}{quality}."
    )


def _existence(choices: _Choices) -> str:
    quality = choices.pick((*_COLORS, "big", "small", "old", "young"))
    noun = f"{quality} {choices.pick((*_ANIMALS, *_THINGS))}"
    place = f"{choices.pick(('near', 'behind', 'beside'))} the {choices.pick(_PLACES)}"
    if choices.chance(2):
        return (
            f"there {choices.pick(('are', 'were'))} {choices.pick(_NUMBERS)} {_many(noun)} {place}."
        )
    return f"there {choices.pick(('is', 'was'))} {_article(noun)} {place}."


def _question(choices: _Choices) -> str:
    subject, verb = _subject(choices), choices.pick(_VERBS)
    opening = choices.pick(("", "", "why ", "when "))
    auxiliary, times = choices.pick(
        (
            ("did", _PAST),
            ("does" if subject.third else "do", _PRESENT),
            ("will", _FUTURE),
            (choices.pick(_MODALS), _FUTURE),
        )
    )
    rest = _OBJECTS[verb.object](choices) if opening == "when " else _rest(choices, verb, times)
    return f"{opening}{auxiliary} {subject.text} {verb.base} {rest}?"


def _request(choices: _Choices) -> str:
    verb = choices.pick(_VERBS)
    opening = choices.pick(
        ("please ", "", "do not ", "please do not ", "never ", "let's ", "{}, please ")
    )
    opening = opening.format(choices.pick(tuple(_NAMES)))
    return f"{opening}{verb.base} {_rest(choices, verb, _FUTURE)}{choices.pick('..!')}"


def _compound(choices: _Choices) -> str:
    first = _subject(choices)
    second = (
        next(pronoun for pronoun in _PRONOUNS if pronoun.text == first.pronoun)
        if choices.chance(2)
        else None
    )
    joint = choices.pick((", but", ", and", " because", ", so", " although"))
    return f"{_clause(choices, first)}{joint} {_clause(choices, second)}."


def _condition(choices: _Choices) -> str:
    subject, verb = _subject(choices), choices.pick(_VERBS)
    weather = choices.pick(("rains", "snows", *(f"is {word}" for word in _WEATHER)))
    opening, when = (
        choices.pick(("if", "when", "unless")),
        choices.pick(("", " tomorrow", " tonight")),
    )
    modal = choices.pick(("will", "can", "must", "should"))
    return (
        f"{opening} it {weather}{when}, {subject.text} {modal} {verb.base} "
        f"{_rest(choices, verb, _FUTURE)}."
    )


def _report(choices: _Choices) -> str:
    subject = _subject(choices)
    verb = choices.pick(("said", "thought", "knew", "heard", "hoped", "wrote"))
    if choices.chance(3):
        return f'"{_capitalised(_clause(choices))}," {subject.text} said.'
    return f"{subject.text} {verb} that {_clause(choices)}."


def _price(choices: _Choices) -> str:
    owner, verb = choices.pick((*_OWNERS, "the", "this")), choices.pick(("costs", "cost"))
    price = choices.pick((*range(2, 21), *range(25, 100, 5), *range(100, 1000, 50)))
    return f"{owner} {choices.pick(_THINGS)} {verb} {price} dollars."


def _time(choices: _Choices) -> str:
    hour, minute = choices.pick(range(1, 13)), choices.pick(("00", "15", "30", "45"))
    which = choices.pick(("the", "our", "the next", "the last"))
    what = choices.pick(("train", "bus", "meeting", "lesson", "film", "concert", "game"))
    return f"{which} {what} {choices.pick(('begins', 'ends', 'is'))} at {hour}:{minute}."


_KINDS = (
    *[_statement] * 8,
    _state,
    _quality,
    _existence,
    *[_question] * 3,
    *[_request] * 2,
    *[_compound] * 3,
    *[_condition] * 2,
    *[_report] * 2,
    _price,
    _time,
)
