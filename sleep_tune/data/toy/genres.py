"""Genres of the toy corpus, which are its sources: the constructions of which a document of each is made.

Genres differ in difficulty and in size, so that the mix of sources in a replay buffer shows what a strategy selects.
"""

from collections.abc import Callable
from itertools import accumulate

from sleep_tune.data.toy import constructions
from sleep_tune.data.toy.constructions import Cast
from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.phrases import someone

__all__ = ["GENRES", "write_document"]

Construction = Callable[[Draws, Cast], str]

GENRES: dict[str, tuple[int, dict[Construction, int]]] = {
    "stories": (
        38,
        {
            constructions.tell: 6,
            constructions.tell_together: 12,
            constructions.tell_twice: 12,
            constructions.have_pronoun: 4,
            constructions.tell_long: 26,
            constructions.reflexive: 30,
            constructions.reported_speech: 10,
        },
    ),
    "talk": (
        26,
        {
            constructions.yes_no_question: 24,
            constructions.object_question: 42,
            constructions.auxiliary: 18,
            constructions.have_pronoun: 8,
            constructions.any_object: 8,
        },
    ),
    "picture_books": (
        18,
        {
            constructions.point: 12,
            constructions.demonstrative_object: 28,
            constructions.there: 18,
            constructions.copula: 26,
            constructions.tell_together: 16,
        },
    ),
    "facts": (
        18,
        {
            constructions.generic: 24,
            constructions.never: 46,
            constructions.any_object: 30,
        },
    ),
}
"""Genre -> percentage of the documents, and its constructions with their percentages."""

NAMES = tuple(GENRES)
SHARES = tuple(accumulate(share for share, _ in GENRES.values()))
CONSTRUCTIONS = {genre: (tuple(mixture), tuple(accumulate(mixture.values()))) for genre, (_, mixture) in GENRES.items()}
SHORTEST, LONGEST = 6, 16
"""Sentences in a document."""


def write_document(draws: Draws, reserved: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return the genre and the sentences of a document about a cast of three characters.

    Args:
        draws: source of every random choice.
        reserved: sentences that the document must not hold: those of the minimal pairs.
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
    return genre, tuple(written)
