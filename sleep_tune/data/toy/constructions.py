"""Constructions of the toy language: each function draws one sentence about a cast of characters.

The docstring of each is an example of what it returns.
"""

from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.lexicon import ACTIONS, ADJECTIVES, ANIMATE, REPORTS, nouns_of
from sleep_tune.data.toy.phrases import (
    POSSESSIVE,
    SUBJECT,
    Phrase,
    common,
    modified,
    number_of,
    other_number,
    place,
    pronoun_key,
    reflexive_of,
    someone,
    verb_for,
    verb_phrase,
)

__all__ = [
    "Cast",
    "any_object",
    "auxiliary",
    "copula",
    "demonstrative_object",
    "generic",
    "have_pronoun",
    "never",
    "object_question",
    "point",
    "reflexive",
    "reported_speech",
    "tell",
    "tell_long",
    "tell_together",
    "tell_twice",
    "there",
    "yes_no_question",
]

Cast = tuple[Phrase, ...]
"""The characters of a document, to whom its sentences refer by noun or by pronoun."""
TOYS = ("toy", "book", "food")


def character(draws: Draws, cast: Cast) -> Phrase:
    """Draw a character of the cast, the first most often, or a new one."""
    return someone(draws) if draws.chance(0.3) else draws.pick_early(cast)


def person(draws: Draws, cast: Cast) -> Phrase:
    """Draw a person of the cast, or a new one."""
    known = [phrase for phrase in cast if phrase.kind == "person"]
    return draws.pick(known) if known and draws.chance(0.6) else someone(draws, ("person",))


def tell(draws: Draws, cast: Cast) -> str:
    """The dog chases a cat."""
    subject = character(draws, cast)
    return f"{subject.text} {verb_phrase(draws, subject)}."


def tell_long(draws: Draws, cast: Cast) -> str:
    """The dog near the cats sleeps: the noun beside the verb is mostly of the other number."""
    subject = common_of(draws, cast)
    subject = modified(draws, subject, other_number(subject.number) if draws.chance(0.7) else None)
    return f"{subject.text} {verb_phrase(draws, subject)}."


def common_of(draws: Draws, cast: Cast) -> Phrase:
    """Draw a character that is called by a noun, not by a name."""
    known = [phrase for phrase in cast if " " in phrase.text]
    if known and draws.chance(0.5):
        return draws.pick(known)
    return common(draws, draws.pick_early(nouns_of(ANIMATE)), number_of(draws))


def have_pronoun(draws: Draws, cast: Cast) -> str:
    """She takes the ball: the first of the cast again."""
    subject = draws.pick_early(cast)
    return f"{SUBJECT[pronoun_key(subject)]} {verb_phrase(draws, subject)}."


def tell_together(draws: Draws, cast: Cast) -> str:
    """The girl and her dog sleep."""
    subject = someone(draws, ("person",), None if draws.chance(0.3) else "singular")
    other = common(
        draws, draws.pick_early(nouns_of(ANIMATE)), number_of(draws), determiner=POSSESSIVE[pronoun_key(subject)]
    )
    both = Phrase(f"{subject.text} and {other.text}", "plural", "n", other.kind)
    return f"{both.text} {verb_phrase(draws, both)}."


def tell_twice(draws: Draws, cast: Cast) -> str:
    """The girl sees a dog and she runs."""
    subject = someone(draws, ("person",), "singular") if draws.chance(0.6) else character(draws, cast)
    again = f"{SUBJECT[pronoun_key(subject)]} {verb_phrase(draws, subject)}"
    return f"{subject.text} {verb_phrase(draws, subject)} and {again}."


def reflexive(draws: Draws, cast: Cast) -> str:
    """The girl helps herself."""
    subject = someone(draws, ("person",), "singular") if draws.chance(0.5) else character(draws, cast)
    if draws.chance(0.1) and " " in subject.text:
        subject = modified(draws, subject)
    verb = verb_for(draws, [verb for verb in ACTIONS if verb.reflexive], subject.kind)
    return f"{subject.text} {verb.form(subject.number)} {reflexive_of(draws, subject)}."


def reported_speech(draws: Draws, cast: Cast) -> str:
    """Anna says that the dog sleeps; anna says that she sleeps."""
    speaker = person(draws, cast)
    start = f"{speaker.text} {draws.pick_early(REPORTS).form(speaker.number)} that"
    if draws.chance(0.5):
        return f"{start} {SUBJECT[pronoun_key(speaker)]} {verb_phrase(draws, speaker)}."
    subject = character(draws, cast)
    return f"{start} {subject.text} {verb_phrase(draws, subject)}."


def auxiliary(draws: Draws, cast: Cast) -> str:
    """The cat can not sing."""
    subject = character(draws, cast)
    do = "does" if subject.number == "singular" else "do"
    helper = draws.pick(("can", "can not", f"{do} not", f"{do} not ever"))
    return f"{subject.text} {helper} {verb_phrase(draws, subject, finite=False)}."


def any_object(draws: Draws, cast: Cast) -> str:
    """The boy does not see any cats; no boy sees any cats."""
    if draws.chance(0.5):
        subject = character(draws, cast)
        verb = verb_for(draws, ACTIONS, subject.kind)
        do = "does" if subject.number == "singular" else "do"
        start = f"{subject.text} {do} not {verb.base}"
    else:
        noun = draws.pick_early(nouns_of(ANIMATE))
        subject = common(draws, noun, "singular", determiner="no")
        verb = verb_for(draws, ACTIONS, subject.kind)
        start = f"{subject.text} {verb.third}"
    thing = common(draws, draws.pick_early(nouns_of(verb.objects)), "plural", determiner="any", adjective=0.2)
    return f"{start} {thing.text}."


def never(draws: Draws, cast: Cast) -> str:
    """No dog ever flies; no girl that sees the cat ever laughs."""
    subject = common(draws, draws.pick_early(nouns_of(ANIMATE)), "singular", determiner="no")
    if draws.chance(0.4):
        subject = modified(draws, subject)
    ever = "ever " if draws.chance(0.7) else ""
    return f"{subject.text} {ever}{verb_phrase(draws, subject)}."


def copula(draws: Draws, cast: Cast) -> str:
    """The girls are happy."""
    subject = common_of(draws, cast)
    if draws.chance(0.35):
        subject = modified(draws, subject)
    be = "is" if subject.number == "singular" else "are"
    rest = place(draws) if draws.chance(0.4) else draws.pick(ADJECTIVES[subject.kind])
    return f"{subject.text} {be} {rest}."


def point(draws: Draws, cast: Cast) -> str:
    """This is a red ball."""
    noun = draws.pick_early(nouns_of((*TOYS, *ANIMATE)))
    if draws.chance(0.5):
        return f"this is {common(draws, noun, 'singular', determiner='a', adjective=0.6).text}."
    return f"these are {common(draws, noun, 'plural', determiner='', adjective=0.6).text}."


def demonstrative_object(draws: Draws, cast: Cast) -> str:
    """Anna sees these red hats."""
    subject = character(draws, cast)
    verb = verb_for(draws, ACTIONS, subject.kind)
    number = number_of(draws)
    determiner = "this" if number == "singular" else "these"
    thing = common(draws, draws.pick_early(nouns_of(verb.objects)), number, determiner=determiner, adjective=0.5)
    return f"{subject.text} {verb.form(subject.number)} {thing.text}."


def there(draws: Draws, cast: Cast) -> str:
    """There are some cats in the garden."""
    number = number_of(draws)
    noun = draws.pick_early(nouns_of((*ANIMATE, *TOYS)))
    determiner = "a" if number == "singular" else draws.pick(("some", "many"))
    thing = common(draws, noun, number, determiner=determiner)
    return f"there {'is' if number == 'singular' else 'are'} {thing.text} {place(draws)}."


def generic(draws: Draws, cast: Cast) -> str:
    """Dogs chase cats; every bird can fly."""
    noun = draws.pick_early(nouns_of(ANIMATE))
    if draws.chance(0.4):
        subject = common(draws, noun, "singular", determiner="every", adjective=0.2)
        return f"{subject.text} can {verb_phrase(draws, subject, finite=False)}."
    subject = common(draws, noun, "plural", determiner=draws.pick(("", "many", "some")), adjective=0.2)
    return f"{subject.text} {verb_phrase(draws, subject)}."


def yes_no_question(draws: Draws, cast: Cast) -> str:
    """Does the dog sleep? Are the cats small?"""
    subject = character(draws, cast)
    singular = subject.number == "singular"
    if draws.chance(0.3):
        return f"{'is' if singular else 'are'} {subject.text} {draws.pick(ADJECTIVES[subject.kind])}?"
    helper = "can" if draws.chance(0.2) else "does" if singular else "do"
    return f"{helper} {subject.text} {verb_phrase(draws, subject, finite=False)}?"


def object_question(draws: Draws, cast: Cast) -> str:
    """What does the girl read? Who do they chase?"""
    subject = character(draws, cast)
    verb = verb_for(draws, ACTIONS, subject.kind)
    asked = "who" if draws.pick(verb.objects) in ANIMATE else "what"
    asks_about = SUBJECT[pronoun_key(subject)] if draws.chance(0.6) else subject.text
    return f"{asked} {'does' if subject.number == 'singular' else 'do'} {asks_about} {verb.base}?"
