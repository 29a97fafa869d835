"""Genres: which constructions a document of each is made of. They are the toy corpus's sources.

They differ in what is hard about them and in how much of them there is, so that the mix of sources in a replay buffer
says something.
"""

from collections.abc import Callable
from itertools import accumulate

from sleep_tune.data.documents import Document
from sleep_tune.data.toy import sentences
from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.phrases import someone
from sleep_tune.data.toy.sentences import Cast

__all__ = ["GENRES", "write_document"]

Construction = Callable[[Draws, Cast], str]

GENRES: dict[str, tuple[int, dict[Construction, int]]] = {
    "stories": (
        38,
        {
            sentences.tell: 6,
            sentences.tell_together: 12,
            sentences.tell_twice: 12,
            sentences.have_pronoun: 4,
            sentences.tell_long: 26,
            sentences.reflexive: 30,
            sentences.report: 10,
        },
    ),
    "talk": (
        26,
        {
            sentences.yes_no_question: 24,
            sentences.object_question: 42,
            sentences.auxiliary: 18,
            sentences.have_pronoun: 8,
            sentences.any_object: 8,
        },
    ),
    "picture_books": (
        18,
        {
            sentences.point: 12,
            sentences.describe: 28,
            sentences.there: 18,
            sentences.copula: 26,
            sentences.tell_together: 16,
        },
    ),
    "facts": (
        18,
        {
            sentences.generic: 24,
            sentences.never: 46,
            sentences.any_object: 30,
        },
    ),
}
"""Genre -> percentage of the documents, and its constructions with their percentages."""

NAMES = tuple(GENRES)
SHARES = tuple(accumulate(share for share, _ in GENRES.values()))
CONSTRUCTIONS = {genre: (tuple(mixture), tuple(accumulate(mixture.values()))) for genre, (_, mixture) in GENRES.items()}
SHORTEST, LONGEST = 6, 16
"""Sentences in a document."""


def write_document(draws: Draws, reserved: frozenset[str]) -> Document:
    """A document of one genre with a cast of its own.

    Args:
        draws: where choices come from.
        reserved: sentences that must not be written: those of the minimal pairs.
    """
    genre = draws.pick_weighted(NAMES, SHARES)
    functions, cumulative = CONSTRUCTIONS[genre]
    cast = tuple(someone(draws) for _ in range(3))
    length = SHORTEST + draws.below(LONGEST - SHORTEST + 1)
    written: list[str] = []
    while len(written) < length:
        sentence = draws.pick_weighted(functions, cumulative)(draws, cast)
        if sentence not in reserved:
            written.append(sentence)
    return Document(genre, tuple(written))
