"""The rows of the made-up evaluation data, in the official columns; `official_data` writes them.

The texts are awkward on purpose: completions of several tokens, accents, scripts without spaces, emoji, punctuation,
quotes, spaces in front, within and at the end, one word, many words.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["ADJECTIVES", "BOXES", "FILLER", "NOUNS", "VERBS", "Row", "Rows"]

NOUNS = ["cat", "dog", "naïve child", "Zoë", "crocodile", "co-worker", "mother-in-law", "東京", "señor", "owl 🦉"]
VERBS = ["sees", "doesn't see", "re-reads", "is... finding", "“likes”", "eats", "photosynthesises", "can't stand"]
ENDS = [".", "!", "?", "...", "?!", "", " ", " .", "。", '."']
ADJECTIVES = ["big", "très petit", "quick-witted", "unbelievable", "½ öd", "ß", "3.5-metre", "it's"]
BOXES = ["Box 0 contains", "Box 1 contains", "The box holds", "Inside it there is"]
FILLER = "the clock and the old map and the brush"

Row = dict[str, Any]


class Rows:
    """Draws rows, one after another, from one generator: their order is part of what they are.

    Args:
        longest: words of the longest stories, of entity tracking and COMPS.
    """

    def __init__(self, longest: int) -> None:
        self._rng = np.random.default_rng(7)
        self._longest = longest

    def _pick(self, words: list[str]) -> str:
        return str(words[int(self._rng.integers(len(words)))])

    def _sentence(self) -> str:
        pick = self._pick
        return f"{pick(['The', 'A', ' The', 'the'])} {pick(NOUNS)} {pick(VERBS)} the {pick(NOUNS)}{pick(ENDS)}"

    def _story(self) -> str:
        words = (FILLER + " ") * (self._longest // 8)
        return " ".join(words.split()[: int(self._rng.integers(2, self._longest))])

    def blimp(self, uid: str, field: str, term: str) -> Iterator[Row]:
        """Pairs of sentences; without a field, the supplement's, which name no groups."""
        for number in range(34):
            good = self._sentence()
            bad = good if number == 5 else self._sentence()  # options that are the same tokens
            columns = {"field": field, "linguistics_term": term, "UID": uid} if field else {}
            yield {"sentence_good": good, "sentence_bad": bad, **columns, "pair_id": number}

    def ewok(self, domain: str) -> Iterator[Row]:
        """Two contexts and two targets."""
        pick = self._pick
        for number in range(32):
            contexts = [self._sentence(), self._sentence()]
            targets = [f"{pick(NOUNS)} {pick(VERBS)}{pick(ENDS)}", f"{pick(ADJECTIVES)} {pick(NOUNS)}{pick(ENDS)}"]
            yield {
                "Context1": contexts[0],
                "Context2": contexts[1],
                "Target1": targets[0],
                "Target2": targets[1],
                "Domain": domain,
                "ContextType": ["direct", "indirect"][number % 2],
                "ContextDiff": ["antonym", "negation"][number // 2 % 2],
                "TargetDiff": ["concept swap", "variable swap"][number // 3 % 2],
            }

    def ewok_swapped(self, domain: str) -> Iterator[Row]:
        """The full format: each line is followed by one with contexts and targets swapped; some contexts are equal."""
        for number, row in enumerate(self.ewok(domain)):
            first, second = row["Context1"], row["Context1" if number % 8 == 3 else "Context2"]
            row |= {"ConceptA": "one", "ConceptB": "two", "Context2": second}
            yield row
            targets = {"Target1": row["Target2"], "Target2": row["Target1"]}
            yield row | targets | {"Context1": second, "Context2": first}

    def entity_tracking(self) -> Iterator[Row]:
        """Stories with five ends."""
        pick = self._pick
        for number in range(36):
            prefix = f"{self._story()}, {pick(NOUNS)}. {pick(BOXES)}"
            options = [f" the {pick(ADJECTIVES)} {pick(NOUNS)} and the {pick(NOUNS)}." for _ in range(5)]
            yield {"input_prefix": prefix, "options": options, "numops": number % 4}

    def empty_boxes(self) -> Iterator[Row]:
        """Stories of which some have an end with the word "nothing", and some have equal ends."""
        for number, row in enumerate(self.entity_tracking()):
            options = row["options"]
            if number % 3 == 1:
                options[number % 5] = [" nothing.", " the nothingness.", " Nothing."][number // 3 % 3]
            elif number % 6 == 2:
                options[number % 5] = options[(number + 2) % 5]
            yield row

    def wug(self, second: str) -> Iterator[Row]:
        """Two forms of a made-up word, and how people chose."""
        pick = self._pick
        for number in range(35):
            stem = f"{pick(ADJECTIVES)}{pick(['ous', 'able', 'ish', 'ed'])}"
            first = f"{pick(NOUNS)} was {stem}ity"
            yield {"sentences": f"{first}\t{pick(NOUNS)} was {stem}{second}", "ratio": round(number / 34, 3)}

    def comps(self) -> Iterator[Row]:
        """A property of two things."""
        pick = self._pick
        for _ in range(31):
            yield {
                "prefix_acceptable": f"{self._story()}; a {pick(NOUNS)}",
                "prefix_unacceptable": f"{self._story()}; a {pick(NOUNS)}",
                "property_phrase": f"{pick(VERBS)} {pick(ADJECTIVES)} things{pick(ENDS)}",
            }

    def global_piqa(self, options: int) -> Iterator[Row]:
        """A prompt and its continuations, of one to many words; any may be right, and some are equal."""
        pick = self._pick
        for number in range(41):
            texts = [
                " ".join(pick([*NOUNS, *VERBS, *ADJECTIVES]) for _ in range(int(self._rng.integers(1, 9))))
                for _ in range(options)
            ]
            if number % 5 == 2:
                texts = texts[:1] * options if number % 2 else [*texts[:-1], texts[0]]
            yield {
                "prompt": f"{self._sentence()} {self._sentence()}",
                **{f"solution{at}": text for at, text in enumerate(texts)},
                "label": int(self._rng.integers(options)),
                "example_id": f"made_{number}",
            }
