"""Reading times (de Varda et al. 2023): how surprising a model finds each word, and how much of people's time that is.

Follows babylm/evaluation-pipeline-2025: a masked model reads what stands before the word and three masks, and answers
at the first of them; a word of several tokens is the product of its tokens, each read after those before it, which are
put back into text and tokenised anew. Knows no folder layout and no other task.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sleep_tune.babylm.challenge import READING_SCORES
from sleep_tune.data.encoding import one_thread
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.evaluation.human_agreement import EYE_TRACKING, SELF_PACED, WORD, eye_tracking_score, self_paced_score
from sleep_tune.evaluation.item_scorer import padding

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["FILE", "NUM_MASKS", "ReadingScorer", "ReadingTimes", "Surprisal", "read_times", "report"]

FILE = "reading_data.csv"
"""The task's one file, in the folder `reading`."""

NUM_MASKS = 3
"""Masks that stand for what follows a word, as the pipeline has it."""

TEXTS = ("item", "word", "prev_item", "prev_word")
NUMBERS = (*WORD, "prev_length", *EYE_TRACKING, SELF_PACED)


@dataclass(frozen=True, slots=True)
class WordInContext:
    """A word and what stands before it."""

    before: str
    word: str


@dataclass(frozen=True, slots=True)
class ReadingTimes:
    """The data: N words, where each was read, and how long people took."""

    words: tuple[WordInContext, ...]
    previous: tuple[WordInContext | None, ...]
    """The word before each, in its own place; None where there is none."""
    columns: Mapping[str, NDArray[np.float64]]
    """Name -> (N,), NaN where a value is missing."""


@dataclass(frozen=True, slots=True)
class Surprisal:
    """What a model makes of the words, in nats."""

    words: NDArray[np.float64]
    previous: NDArray[np.float64]
    """NaN where there is no word before."""

    def scores(self, times: ReadingTimes) -> dict[str, float]:
        """Score -> percent of the variance left that is explained; one for eye tracking, one for self-paced reading."""
        values = (
            eye_tracking_score(times.columns, self.words),
            self_paced_score(times.columns, self.words, self.previous),
        )
        return dict(zip(READING_SCORES, values, strict=True))

    def predictions(self) -> str:
        """The text of `predictions.json`; a missing value is NaN, which Python's json reads back."""
        pairs = zip(self.words.tolist(), self.previous.tolist(), strict=True)
        rows = [{"id": index, "pred": pred, "prev_pred": previous} for index, (pred, previous) in enumerate(pairs)]
        return json.dumps({"reading": {"predictions": rows}})


def report(scores: Mapping[str, float]) -> str:
    """The text of `report.txt`."""
    eyes, paced = (scores[name] for name in READING_SCORES)
    return f"EYE TRACKING SCORE: {eyes:.2f}\nSELF-PACED READING SCORE: {paced:.2f}\n"


def read_times(path: Path) -> ReadingTimes:
    """Read the official file.

    Raises:
        DataError: it is no CSV, lacks a column, has no row, or holds something else where a number or a word must
            stand; the message names file, line and column.
    """
    try:
        table = pd.read_csv(path, dtype={"item": str})
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} must be a CSV file: {str(error).strip()}") from error
    for column in (*TEXTS, *NUMBERS):
        if column not in table.columns:
            raise DataError(f"{path}:1: reading times must have the column '{column}'; got {', '.join(table.columns)}")
    if table.empty:
        raise DataError(f"{path}: reading times must have at least one row; got none")
    columns = {}
    for name in NUMBERS:
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & table[name].notna())
        if len(wrong):
            raise DataError(f"{path}:{wrong[0] + 2}: {name} must be a number; got {table[name].iloc[wrong[0]]!r}")
        columns[name] = numbers.to_numpy(dtype=np.float64)
    words, previous = [], []
    rows = zip(*(table[name] for name in TEXTS), strict=True)
    for line, (item, word, prev_item, prev_word) in enumerate(rows, start=2):
        has_previous = isinstance(prev_item, str)
        for name, value in (("word", word), ("prev_word", prev_word)):
            if not isinstance(value, str) and (name == "word" or has_previous):
                raise DataError(f"{path}:{line}: {name} must be text; got {value!r}")
        # Where nothing stands before a word, pandas reads a gap, and the pipeline puts the text None in its place.
        words.append(WordInContext(item if isinstance(item, str) else "None", str(word)))
        previous.append(WordInContext(str(prev_item), str(prev_word)) if has_previous else None)
    return ReadingTimes(tuple(words), tuple(previous), columns)


class ReadingScorer:
    """The words made ready once, and put to any number of models.

    Args:
        times: the words.
        tokenizer: a fast one.
        backend: a name of BACKENDS; those that mask need a mask token.
        batch_tokens: tokens in one forward pass, at most.

    Raises:
        DataError: a word that the tokenizer makes nothing of.
    """

    def __init__(
        self, times: ReadingTimes, tokenizer: "PreTrainedTokenizerBase", *, backend: str, batch_tokens: int
    ) -> None:
        self._times = times
        places = list(dict.fromkeys([*times.words, *(place for place in times.previous if place is not None)]))
        grower = _Grower(tokenizer)
        steps = [list(grower.steps(place)) for place in places]
        self._number = {place: index for index, place in enumerate(places)}
        self._place_P = np.repeat(np.arange(len(places)), [len(step) for step in steps])
        prefixes = [prefix for step in steps for prefix, _ in step]
        rule = BACKENDS[backend]
        texts, positions = _rows(prefixes, tokenizer, masks=rule.masks)
        self._lengths_P = np.array([len(text) for text in texts])
        self._cloze = Cloze(
            texts,
            Probes(
                text=np.arange(len(texts)),
                position=np.array(positions),
                group=np.zeros(len(texts), dtype=np.int64),
                target=np.array([target for step in steps for _, target in step]),
            ),
            pad=padding(tokenizer, backend),
            mask=tokenizer.mask_token_id if rule.masks else None,
            batch_tokens=batch_tokens,
            shift=rule.shift,
        )

    @property
    def num_tokens(self) -> int:
        """Tokens that a model reads: what `advance` adds up to."""
        return self._cloze.num_tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest text, special ones included."""
        return int(self._lengths_P.max())

    def num_longer(self, positions: int) -> int:
        """How many words have a text of more tokens than this, repeats counted."""
        longer = set(self._place_P[self._lengths_P > positions].tolist())
        return sum(self._number[place] in longer for place in self._times.words)

    def score(self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None) -> Surprisal:
        """Surprisal of every word and of every word before it; the model is left undisturbed."""
        answers = self._cloze.score(model, advance)
        nats = -np.bincount(self._place_P, weights=answers, minlength=len(self._number))
        words = np.array([nats[self._number[place]] for place in self._times.words])
        previous = [math.nan if place is None else nats[self._number[place]] for place in self._times.previous]
        return Surprisal(words, np.array(previous, dtype=np.float64))


class _Grower:
    """Cuts words into the tokens that are asked one after another, each with the text before it."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._texts: dict[int, str] = {}
        self._firsts: dict[str, int] = {}

    def steps(self, place: WordInContext) -> Iterator[tuple[str, int]]:
        """(text before, token) of each token of a word."""
        tokens = self._ids(place.word)
        if not tokens:
            raise DataError(f"a word must have at least one token to be scored; got none for {place.word!r}")
        before = place.before
        for index, token in enumerate(tokens):
            # The first token is asked as it is; of those after it the text is tokenised anew, as the pipeline does.
            yield before, token if index == 0 else self._first(self._text(token), place)
            before += self._text(token)

    def _text(self, token: int) -> str:
        if token not in self._texts:
            self._texts[token] = str(self._tokenizer.decode(token))
        return self._texts[token]

    def _first(self, text: str, place: WordInContext) -> int:
        if text not in self._firsts:
            ids = self._ids(text)
            if not ids:
                raise DataError(f"a part of {place.word!r} is {text!r} as text, of which the tokenizer makes no token")
            self._firsts[text] = ids[0]
        return self._firsts[text]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _rows(
    prefixes: list[str], tokenizer: "PreTrainedTokenizerBase", *, masks: bool
) -> tuple[list[NDArray[np.int32]], list[int]]:
    """The tokens that a model reads before it names the next, and where that one stands."""
    different = list(dict.fromkeys(prefixes))
    tail = str(tokenizer.mask_token) * NUM_MASKS if masks else ""
    with one_thread():
        encoded = tokenizer([prefix + tail for prefix in different], return_attention_mask=False)["input_ids"]
    rows = {prefix: np.array(ids, dtype=np.int32) for prefix, ids in zip(different, encoded, strict=True)}
    texts = [rows[prefix] for prefix in prefixes]
    if not masks:
        return texts, [len(text) for text in texts]
    # One special token may close the row; the pipeline looks for no more.
    closed = [int(text[-1] != tokenizer.mask_token_id) for text in texts]
    return texts, [len(text) - NUM_MASKS - end for text, end in zip(texts, closed, strict=True)]
