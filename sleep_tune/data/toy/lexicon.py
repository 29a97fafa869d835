"""The words of the toy language, with their grammatical features."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ACTIONS",
    "ADJECTIVES",
    "ANIMATE",
    "NAMES",
    "NOUNS",
    "PLACES",
    "REPORTS",
    "STATES",
    "Gender",
    "Noun",
    "Number",
    "Verb",
    "nouns_of",
]

Number = Literal["singular", "plural"]
Gender = Literal["m", "f", "n"]


@dataclass(frozen=True, slots=True)
class Noun:
    """A common noun."""

    singular: str
    plural: str
    kind: str
    gender: Gender = "n"

    def form(self, number: Number) -> str:
        """Return the noun in this number."""
        return self.singular if number == "singular" else self.plural


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb, the kinds of noun that can be its subject and, if it is transitive, its object."""

    base: str
    third: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...] = ()
    reflexive: bool = False

    def form(self, number: Number) -> str:
        """Return the verb in the present tense, third person."""
        return self.third if number == "singular" else self.base


ANIMATE = ("person", "animal", "bird")

NOUNS = (
    Noun("boy", "boys", "person", "m"),
    Noun("girl", "girls", "person", "f"),
    Noun("dog", "dogs", "animal"),
    Noun("cat", "cats", "animal"),
    Noun("ball", "balls", "toy"),
    Noun("woman", "women", "person", "f"),
    Noun("man", "men", "person", "m"),
    Noun("cake", "cakes", "food"),
    Noun("book", "books", "book"),
    Noun("bird", "birds", "bird"),
    Noun("pear", "pears", "food"),
)
NAMES: tuple[tuple[str, Gender], ...] = (("anna", "f"), ("ben", "m"), ("mary", "f"), ("tom", "m"))
PLACES = ("house", "garden", "tree")

ADJECTIVES = {
    "person": ("happy", "small", "sad", "big"),
    "animal": ("small", "big", "happy", "sad"),
    "bird": ("small", "red", "big", "happy"),
    "toy": ("red", "new", "big", "small"),
    "book": ("new", "big", "red"),
    "food": ("big", "small", "new"),
}

STATES = (
    Verb("run", "runs", ("person", "animal")),
    Verb("sleep", "sleeps", ANIMATE),
    Verb("sing", "sings", ("person", "bird")),
    Verb("fly", "flies", ("bird",)),
)
"""Intransitive verbs."""

ACTIONS = (
    Verb("help", "helps", ("person", "animal"), ("person", "animal"), reflexive=True),
    Verb("see", "sees", ANIMATE, (*ANIMATE, "toy", "food"), reflexive=True),
    Verb("chase", "chases", ("animal", "person"), ANIMATE),
    Verb("eat", "eats", ANIMATE, ("food",)),
    Verb("love", "loves", ("person", "animal"), ANIMATE, reflexive=True),
    Verb("take", "takes", ("person", "animal"), ("toy", "book", "food")),
    Verb("read", "reads", ("person",), ("book",)),
)
"""Transitive verbs."""

REPORTS = (Verb("say", "says", ("person",)), Verb("think", "thinks", ("person",)))
"""Verbs that take a clause."""


def nouns_of(kinds: tuple[str, ...]) -> tuple[Noun, ...]:
    """Return the nouns of these kinds, the most frequent first."""
    return _NOUNS_OF[kinds] if kinds in _NOUNS_OF else tuple(noun for noun in NOUNS if noun.kind in kinds)


_NOUNS_OF = {
    kinds: tuple(noun for noun in NOUNS if noun.kind in kinds)
    for verb in (*STATES, *ACTIONS, *REPORTS)
    for kinds in (verb.subjects, verb.objects)
}
