"""Noun phrases and verb phrases of the toy language, built from the lexicon with agreement and selection."""

from collections.abc import Sequence
from dataclasses import dataclass

from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.lexicon import (
    ACTIONS,
    ADJECTIVES,
    ANIMATE,
    NAMES,
    PLACES,
    STATES,
    Gender,
    Noun,
    Number,
    Verb,
    nouns_of,
)

__all__ = [
    "DETERMINERS",
    "NUMBERS",
    "OBJECT",
    "POSSESSIVE",
    "REFLEXIVE",
    "SUBJECT",
    "Phrase",
    "common",
    "modified",
    "number_of",
    "object_of",
    "other_number",
    "person_by_name",
    "place",
    "pronoun_key",
    "reflexive_of",
    "someone",
    "something",
    "verb_for",
    "verb_phrase",
]

NUMBERS: tuple[Number, Number] = ("singular", "plural")
DETERMINERS: dict[Number, tuple[str, ...]] = {
    "singular": ("the", "a", "this", "every"),
    "plural": ("the", "these", "some", "many"),
}
SUBJECT = {"m": "he", "f": "she", "n": "it", "plural": "they"}
OBJECT = {"m": "him", "f": "her", "n": "it", "plural": "them"}
POSSESSIVE = {"m": "his", "f": "her", "n": "the", "plural": "their"}
REFLEXIVE = {"m": "himself", "f": "herself", "n": "itself", "plural": "themselves"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase, with the features by which other words agree with it."""

    text: str
    number: Number
    gender: Gender
    kind: str


def pronoun_key(phrase: Phrase) -> str:
    """Return the key of a phrase's pronoun in SUBJECT, OBJECT, POSSESSIVE and REFLEXIVE."""
    return "plural" if phrase.number == "plural" else phrase.gender


def number_of(draws: Draws) -> Number:
    """Draw a number: singular in 60% of the cases."""
    return "singular" if draws.chance(0.6) else "plural"


def other_number(number: Number) -> Number:
    """Return plural for singular, and singular for plural."""
    return "plural" if number == "singular" else "singular"


def common(
    draws: Draws,
    noun: Noun,
    number: Number,
    *,
    determiner: str | None = None,
    adjective: float = 0.15,
) -> Phrase:
    """Return a phrase of a determiner, perhaps an adjective, and a noun.

    Args:
        draws: source of every random choice.
        noun: the head.
        number: of head and determiner.
        determiner: drawn if None; empty for a bare plural.
        adjective: probability of an adjective, in [0, 1].
    """
    chosen = draws.pick_early(DETERMINERS[number]) if determiner is None else determiner
    words = [chosen] if chosen else []
    if draws.chance(adjective):
        words.append(draws.pick(ADJECTIVES[noun.kind]))
    words.append(noun.form(number))
    return Phrase(" ".join(words), number, noun.gender, noun.kind)


def person_by_name(draws: Draws) -> Phrase:
    """Draw a person by name."""
    word, gender = draws.pick_early(NAMES)
    return Phrase(word, "singular", gender, "person")


def someone(draws: Draws, kinds: tuple[str, ...] = ANIMATE, number: Number | None = None) -> Phrase:
    """Draw a person or an animal; a person sometimes by name."""
    if number != "plural" and "person" in kinds and draws.chance(0.25):
        return person_by_name(draws)
    return common(draws, draws.pick_early(nouns_of(kinds)), number or number_of(draws))


def something(draws: Draws, kinds: tuple[str, ...]) -> Phrase:
    """Draw a thing of any of these kinds."""
    return common(draws, draws.pick_early(nouns_of(kinds)), number_of(draws), adjective=0.15)


def place(draws: Draws) -> str:
    """Draw a place: 'in the garden'."""
    spot = draws.pick_early(PLACES)
    return f"near the {spot}" if spot == "tree" or draws.chance(0.3) else f"in the {spot}"


def verb_for(draws: Draws, verbs: Sequence[Verb], subject_kind: str) -> Verb:
    """Draw a verb that a subject of this kind can have."""
    return draws.pick_early([verb for verb in verbs if subject_kind in verb.subjects])


def modified(draws: Draws, head: Phrase, number: Number | None = None) -> Phrase:
    """Return the phrase with a prepositional phrase or relative clause, whose noun may differ from the head in number.

    Args:
        draws: source of every random choice.
        head: the phrase that is modified; the verb agrees with it.
        number: of the noun inside; drawn if None.
    """
    if draws.chance(0.5):
        inside = f"near {someone(draws, number=number).text}"
    else:
        verb = verb_for(draws, ACTIONS[:3], head.kind)
        inside = f"that {verb.form(head.number)} {someone(draws, ANIMATE[:2], number).text}"
    return Phrase(f"{head.text} {inside}", head.number, head.gender, head.kind)


def verb_phrase(draws: Draws, subject: Phrase, *, finite: bool = True) -> str:
    """Return a verb that suits the subject, with its object if it takes one.

    Args:
        draws: source of every random choice.
        subject: determines the verb and, if finite, its form.
        finite: agree with the subject; otherwise the base form, as after "does" or "can".
    """
    number: Number = subject.number if finite else "plural"
    if draws.chance(0.35):
        verb = verb_for(draws, STATES, subject.kind)
        return f"{verb.form(number)} {place(draws)}" if draws.chance(0.3) else verb.form(number)
    verb = verb_for(draws, ACTIONS, subject.kind)
    if verb.reflexive and draws.chance(0.2):
        return f"{verb.form(number)} {reflexive_of(draws, subject)}"
    return f"{verb.form(number)} {object_of(draws, verb, subject)}"


def reflexive_of(draws: Draws, subject: Phrase) -> str:
    """Return the subject's reflexive pronoun, sometimes with a place."""
    itself = REFLEXIVE[pronoun_key(subject)]
    return f"{itself} {place(draws)}" if draws.chance(0.2) else itself


def object_of(draws: Draws, verb: Verb, subject: Phrase) -> str:
    """Draw the verb's object: a pronoun, something that belongs to the subject, or anything that the verb allows."""
    if verb.objects[0] in ANIMATE and draws.chance(0.2):
        return OBJECT[draws.pick(("m", "f", "plural", "n"))]
    if subject.kind == "person" and draws.chance(0.5):
        noun = draws.pick_early(nouns_of(verb.objects))
        return common(draws, noun, number_of(draws), determiner=POSSESSIVE[pronoun_key(subject)]).text
    return something(draws, verb.objects).text
