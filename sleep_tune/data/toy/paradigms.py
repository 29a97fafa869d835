"""Paradigms of minimal pairs in the toy language, as in BLiMP (Warstadt et al., 2020).

Each function draws a well-formed sentence of the grammar and the same sentence with one thing wrong; its docstring is
an example. The grammar cannot generate the ill-formed sentence.
"""

from collections.abc import Callable

from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.lexicon import ACTIONS, ADJECTIVES, ANIMATE, NAMES, NOUNS, REPORTS, STATES, Number, nouns_of
from sleep_tune.data.toy.phrases import (
    NUMBERS,
    OBJECT,
    REFLEXIVE,
    SUBJECT,
    Phrase,
    common,
    modified,
    number_of,
    other_number,
    place,
    pronoun_key,
    something,
    verb_for,
    verb_phrase,
)

__all__ = ["PARADIGMS", "PHENOMENA", "Paradigm"]

Paradigm = Callable[[Draws], tuple[str, str]]
"""Function of the draws that returns (well-formed, ill-formed)."""

REFLEXIVE_VERBS = tuple(verb for verb in ACTIONS if verb.reflexive)


def animate(
    draws: Draws, number: Number | None = None, determiner: str | None = None, kinds: tuple[str, ...] = ANIMATE
) -> Phrase:
    """Draw an animate noun phrase that always has an adjective.

    Few sentences of the text have an adjective there. So keeping the pairs out of the text removes little of what
    teaches them, and the nearest word alone does not give the answer.
    """
    chosen = draws.pick(NUMBERS) if number is None else number
    return common(draws, draws.pick(nouns_of(kinds)), chosen, determiner=determiner, adjective=1)


def agreement_intransitive(draws: Draws) -> tuple[str, str]:
    """The dogs sleep near the tree / sleeps."""
    subject = animate(draws)
    verb = verb_for(draws, STATES, subject.kind)
    rest = place(draws)
    return _verb_pair(subject, verb.third, verb.base, f" {rest}.")


def agreement_transitive(draws: Draws) -> tuple[str, str]:
    """The girl reads these books / read."""
    subject = animate(draws)
    verb = verb_for(draws, ACTIONS, subject.kind)
    return _verb_pair(subject, verb.third, verb.base, f" {something(draws, verb.objects).text}.")


def agreement_attractor(draws: Draws) -> tuple[str, str]:
    """The dog near the cats sleeps / sleep."""
    subject = animate(draws)
    subject = modified(draws, subject, other_number(subject.number))
    verb = verb_for(draws, STATES, subject.kind)
    return _verb_pair(subject, verb.third, verb.base, ".")


def agreement_copula(draws: Draws) -> tuple[str, str]:
    """The small birds are happy / is."""
    subject = animate(draws)
    return _verb_pair(subject, "is", "are", f" {draws.pick(ADJECTIVES[subject.kind])}.")


def agreement_there(draws: Draws) -> tuple[str, str]:
    """There are many hats in the house / is."""
    number = draws.pick(NUMBERS)
    determiner = "a" if number == "singular" else draws.pick(("some", "many"))
    thing = common(draws, draws.pick(NOUNS), number, determiner=determiner, adjective=1)
    return _verb_pair(Phrase("there", number, "n", thing.kind), "is", "are", f" {thing.text} {place(draws)}.")


def _verb_pair(subject: Phrase, third: str, base: str, rest: str) -> tuple[str, str]:
    """Return the subject with the verb form that agrees, and with the other one."""
    right, wrong = (third, base) if subject.number == "singular" else (base, third)
    return f"{subject.text} {right}{rest}", f"{subject.text} {wrong}{rest}"


def determiner_noun(draws: Draws) -> tuple[str, str]:
    """Anna sees these cats / these cat."""
    return _determiner_pair(draws, "")


def determiner_noun_adjective(draws: Draws) -> tuple[str, str]:
    """Anna sees this small cat / this small cats."""
    return _determiner_pair(draws, "adjective")


def _determiner_pair(draws: Draws, between: str) -> tuple[str, str]:
    """Return sentences whose object has a determiner that agrees with its noun, and one that does not."""
    subject = animate(draws)
    verb = verb_for(draws, ACTIONS, subject.kind)
    noun = draws.pick(nouns_of(verb.objects))
    number = draws.pick(NUMBERS)
    words = [subject.text, verb.form(subject.number), "this" if number == "singular" else "these"]
    if between:
        words.append(draws.pick(ADJECTIVES[noun.kind]))
    start = " ".join(words)
    return f"{start} {noun.form(number)}.", f"{start} {noun.form(other_number(number))}."


def anaphor_gender(draws: Draws) -> tuple[str, str]:
    """The happy girl helps herself / himself."""
    subject = animate(draws, "singular", kinds=("person",))
    return _anaphor_pair(draws, subject, "f" if subject.gender == "m" else "m")


def anaphor_number(draws: Draws) -> tuple[str, str]:
    """The small girls help themselves in the garden / herself in the garden."""
    subject = animate(draws, kinds=("person", "animal"))
    return _anaphor_pair(draws, subject, "plural" if subject.number == "singular" else subject.gender)


def anaphor_binding(draws: Draws) -> tuple[str, str]:
    """Anna says that the sad boy helps himself / herself."""
    subject = animate(draws, "singular", kinds=("person",))
    wrong = "f" if subject.gender == "m" else "m"
    speaker = draws.pick([word for word, gender in NAMES if gender == wrong])
    start = f"{speaker} {draws.pick(REPORTS).third} that "
    good, bad = _anaphor_pair(draws, subject, wrong)
    return start + good, start + bad


def _anaphor_pair(draws: Draws, subject: Phrase, wrong: str) -> tuple[str, str]:
    """Return the subject with the reflexive that agrees, and with that of `wrong`."""
    verb = verb_for(draws, REFLEXIVE_VERBS, subject.kind)
    start = f"{subject.text} {verb.form(subject.number)}"
    rest = f" {place(draws)}" if draws.chance(0.5) else ""
    return f"{start} {REFLEXIVE[pronoun_key(subject)]}{rest}.", f"{start} {REFLEXIVE[wrong]}{rest}."


def npi_ever(draws: Draws) -> tuple[str, str]:
    """No dog ever sleeps / the dog ever sleeps."""
    subject = animate(draws, "singular", "no")
    rest = f"{subject.text.removeprefix('no')} ever {verb_phrase(draws, subject)}."
    return f"no{rest}", f"{draws.pick(('the', 'this', 'every'))}{rest}"


def npi_any(draws: Draws) -> tuple[str, str]:
    """No girl reads any books / the girl reads any books."""
    subject = animate(draws, "singular", "no")
    verb = verb_for(draws, ACTIONS, subject.kind)
    thing = common(draws, draws.pick(nouns_of(verb.objects)), "plural", determiner="any", adjective=0.4)
    rest = f"{subject.text.removeprefix('no')} {verb.third} {thing.text}."
    return f"no{rest}", f"{draws.pick(('the', 'this', 'every'))}{rest}"


def npi_scope(draws: Draws) -> tuple[str, str]:
    """No boy that sees the cat ever sleeps / the boy that sees no cat ever sleeps."""
    subject = animate(draws, "singular", "no")
    head = subject.text.removeprefix("no")
    verb = verb_for(draws, ACTIONS[:3], subject.kind)
    lure = common(draws, draws.pick(nouns_of(ANIMATE[:2])), "singular", determiner="", adjective=0.2).text
    rest = f"ever {verb_phrase(draws, subject)}."
    return f"no{head} that {verb.third} the {lure} {rest}", f"the{head} that {verb.third} no {lure} {rest}"


def transitive(draws: Draws) -> tuple[str, str]:
    """The boy helps the dog / sleeps the dog."""
    subject = animate(draws)
    verb = verb_for(draws, ACTIONS, subject.kind)
    wrong = verb_for(draws, STATES, subject.kind)
    rest = f"{something(draws, verb.objects).text}."
    number = subject.number
    return f"{subject.text} {verb.form(number)} {rest}", f"{subject.text} {wrong.form(number)} {rest}"


def intransitive(draws: Draws) -> tuple[str, str]:
    """The boy near the tree sleeps / helps."""
    subject = animate(draws)
    if draws.chance(0.5):
        subject = modified(draws, subject)
    verb = verb_for(draws, STATES, subject.kind)
    wrong = verb_for(draws, ACTIONS, subject.kind)
    number = subject.number
    return f"{subject.text} {verb.form(number)}.", f"{subject.text} {wrong.form(number)}."


def animate_subject(draws: Draws) -> tuple[str, str]:
    """The girl reads the book / the ball reads the book."""
    verb = draws.pick(ACTIONS)
    number = draws.pick(NUMBERS)
    determiner = "the" if draws.chance(0.5) else "this" if number == "singular" else "these"
    right = draws.pick(nouns_of(verb.subjects)).form(number)
    wrong = draws.pick(nouns_of(("toy", "food", "book"))).form(number)
    rest = f"{verb.form(number)} {something(draws, verb.objects).text}."
    return f"{determiner} {right} {rest}", f"{determiner} {wrong} {rest}"


def case_subject(draws: Draws) -> tuple[str, str]:
    """They chase the dog / them chase the dog."""
    key = draws.pick(("m", "f", "plural"))
    subject = Phrase("", "plural" if key == "plural" else "singular", "n", "person")
    verb = verb_for(draws, ACTIONS, "person")
    thing = common(draws, draws.pick(nouns_of(verb.objects)), number_of(draws), adjective=1)
    rest = f"{verb.form(subject.number)} {thing.text}."
    return f"{SUBJECT[key]} {rest}", f"{OBJECT[key]} {rest}"


def case_object(draws: Draws) -> tuple[str, str]:
    """The dog chases them / they."""
    key = draws.pick(("m", "f", "plural"))
    subject = animate(draws)
    verb = verb_for(draws, [verb for verb in ACTIONS if verb.objects[0] in ANIMATE], subject.kind)
    start = f"{subject.text} {verb.form(subject.number)}"
    return f"{start} {OBJECT[key]}.", f"{start} {SUBJECT[key]}."


def auxiliary_form(draws: Draws) -> tuple[str, str]:
    """Does the dog sleep / does the dog sleeps; the dog can sleep / can sleeps."""
    subject = animate(draws, "singular")
    verb = verb_for(draws, STATES, subject.kind)
    rest = f" {place(draws)}" if draws.chance(0.5) else ""
    if draws.chance(0.5):
        return f"does {subject.text} {verb.base}{rest}?", f"does {subject.text} {verb.third}{rest}?"
    helper = draws.pick(("can", "can not", "does not"))
    return f"{subject.text} {helper} {verb.base}{rest}.", f"{subject.text} {helper} {verb.third}{rest}."


def auxiliary_agreement(draws: Draws) -> tuple[str, str]:
    """Do the dogs chase the cat / does the dogs chase the cat."""
    subject = animate(draws)
    rest = f"{subject.text} {verb_phrase(draws, subject, finite=False)}?"
    right, wrong = ("does", "do") if subject.number == "singular" else ("do", "does")
    return f"{right} {rest}", f"{wrong} {rest}"


def question_gap(draws: Draws) -> tuple[str, str]:
    """Who does the boy chase / who does the boy sleep."""
    subject = animate(draws)
    verb = verb_for(draws, ACTIONS, subject.kind)
    wrong = verb_for(draws, STATES, subject.kind)
    do = "does" if subject.number == "singular" else "do"
    start = f"{'who' if verb.objects[0] in ANIMATE else 'what'} {do} {subject.text}"
    return f"{start} {verb.base}?", f"{start} {wrong.base}?"


def question_animacy(draws: Draws) -> tuple[str, str]:
    """What does the girl read / who does the girl read."""
    subject = animate(draws, kinds=ANIMATE[:2])
    verbs = [verb for verb in ACTIONS if verb.base != "see"]
    verb = verb_for(draws, verbs, subject.kind)
    right, wrong = ("who", "what") if verb.objects[0] in ANIMATE else ("what", "who")
    rest = f"{'does' if subject.number == 'singular' else 'do'} {subject.text} {verb.base}?"
    return f"{right} {rest}", f"{wrong} {rest}"


PHENOMENA: dict[str, dict[str, Paradigm]] = {
    "subject_verb_agreement": {
        "agreement": agreement_intransitive,
        "agreement_transitive": agreement_transitive,
        "agreement_attractor": agreement_attractor,
        "agreement_copula": agreement_copula,
        "agreement_there": agreement_there,
    },
    "determiner_noun_agreement": {
        "determiner_noun": determiner_noun,
        "determiner_noun_adjective": determiner_noun_adjective,
    },
    "anaphor_agreement": {"anaphor_gender": anaphor_gender, "anaphor_number": anaphor_number},
    "binding": {"anaphor_binding": anaphor_binding},
    "npi_licensing": {"npi_ever": npi_ever, "npi_any": npi_any, "npi_scope": npi_scope},
    "argument_structure": {
        "transitive": transitive,
        "intransitive": intransitive,
        "animate_subject": animate_subject,
    },
    "pronoun_case": {"case_subject": case_subject, "case_object": case_object},
    "auxiliaries": {"auxiliary_form": auxiliary_form, "auxiliary_agreement": auxiliary_agreement},
    "questions": {"question_gap": question_gap, "question_animacy": question_animacy},
}
"""Phenomenon -> its paradigms."""

PARADIGMS: dict[str, Paradigm] = {
    name: function for paradigms in PHENOMENA.values() for name, function in paradigms.items()
}
"""Paradigm -> the function that draws its pairs."""
