"""Noun phrases and clauses, built from the lexicon with agreement and selection. Knows no genres and no pairs."""

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
    "name",
    "number_of",
    "object_of",
    "other_number",
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
    """A noun phrase and what agrees with it."""

    text: str
    number: Number
    gender: Gender
    kind: str


def pronoun_key(phrase: Phrase) -> str:
    """What chooses the pronoun for a phrase: its number, and its gender in the singular."""
    return "plural" if phrase.number == "plural" else phrase.gender


def number_of(draws: Draws) -> Number:
    """Singular somewhat more often than plural."""
    return "singular" if draws.chance(0.6) else "plural"


def other_number(number: Number) -> Number:
    """Plural for singular, and singular for plural."""
    return "plural" if number == "singular" else "singular"


def common(
    draws: Draws,
    noun: Noun,
    number: Number,
    *,
    determiner: str | None = None,
    adjective: float = 0.15,
) -> Phrase:
    """Determiner, perhaps an adjective, noun.

    Args:
        draws: where choices come from.
        noun: the head.
        number: of head and determiner.
        determiner: drawn if None; empty for a bare plural.
        adjective: probability of one.
    """
    chosen = draws.pick_early(DETERMINERS[number]) if determiner is None else determiner
    words = [chosen] if chosen else []
    if draws.chance(adjective):
        words.append(draws.pick(ADJECTIVES[noun.kind]))
    words.append(noun.form(number))
    return Phrase(" ".join(words), number, noun.gender, noun.kind)


def name(draws: Draws) -> Phrase:
    """A person by name."""
    word, gender = draws.pick_early(NAMES)
    return Phrase(word, "singular", gender, "person")


def someone(draws: Draws, kinds: tuple[str, ...] = ANIMATE, number: Number | None = None) -> Phrase:
    """A person or an animal, sometimes by name."""
    if number != "plural" and "person" in kinds and draws.chance(0.25):
        return name(draws)
    return common(draws, draws.pick_early(nouns_of(kinds)), number or number_of(draws))


def something(draws: Draws, kinds: tuple[str, ...]) -> Phrase:
    """An object of any of these kinds."""
    return common(draws, draws.pick_early(nouns_of(kinds)), number_of(draws), adjective=0.15)


def place(draws: Draws) -> str:
    """Where something is."""
    spot = draws.pick_early(PLACES)
    return f"near the {spot}" if spot == "tree" or draws.chance(0.3) else f"in the {spot}"


def verb_for(draws: Draws, verbs: Sequence[Verb], subject_kind: str) -> Verb:
    """One of the verbs that a subject of this kind can do."""
    return draws.pick_early([verb for verb in verbs if subject_kind in verb.subjects])


def modified(draws: Draws, head: Phrase, number: Number | None = None) -> Phrase:
    """The phrase with a prepositional phrase or a relative clause whose noun may lure agreement away.

    Args:
        draws: where choices come from.
        head: what is modified, and still agrees.
        number: of the noun inside; drawn if None.
    """
    if draws.chance(0.5):
        inside = f"near {someone(draws, number=number).text}"
    else:
        verb = verb_for(draws, ACTIONS[:3], head.kind)
        inside = f"that {verb.form(head.number)} {someone(draws, ANIMATE[:2], number).text}"
    return Phrase(f"{head.text} {inside}", head.number, head.gender, head.kind)


def verb_phrase(draws: Draws, subject: Phrase, *, finite: bool = True) -> str:
    """A verb that suits the subject, with its object if it takes one.

    Args:
        draws: where choices come from.
        subject: chooses the verb and, if finite, its form.
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
    """The subject again as an object, sometimes with a place."""
    itself = REFLEXIVE[pronoun_key(subject)]
    return f"{itself} {place(draws)}" if draws.chance(0.2) else itself


def object_of(draws: Draws, verb: Verb, subject: Phrase) -> str:
    """What the verb is done to: a pronoun for someone, something of the subject's own, or anything."""
    if verb.objects[0] in ANIMATE and draws.chance(0.2):
        return OBJECT[draws.pick(("m", "f", "plural", "n"))]
    if subject.kind == "person" and draws.chance(0.5):
        noun = draws.pick_early(nouns_of(verb.objects))
        return common(draws, noun, number_of(draws), determiner=POSSESSIVE[pronoun_key(subject)]).text
    return something(draws, verb.objects).text
