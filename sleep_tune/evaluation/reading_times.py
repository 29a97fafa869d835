"""The task `reading` (de Varda et al. 2023): a model's surprisal of words against the time that people read them.

As in babylm/evaluation-pipeline-2025, a masked model reads the text before the word and three masks, and predicts the
first of them. The probability of a word of several tokens is the product of its tokens' probabilities; before each
token the earlier ones are decoded to text and tokenised again.
"""

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
from sleep_tune.evaluation.item_scorer import padding_token

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["FILE", "NUM_MASKS", "ReadingScorer", "ReadingTimes", "Surprisal", "read_times"]

FILE = "reading_data.csv"
"""The task's file, in the folder `reading`."""

NUM_MASKS = 3
"""Number of masks after the text before a word, as in the pipeline."""

TEXTS = ("item", "word", "prev_item", "prev_word")
NUMBERS = (*WORD, "prev_length", *EYE_TRACKING, SELF_PACED)


@dataclass(frozen=True, slots=True)
class WordInContext:
    """A word and the text before it."""

    before: str
    word: str


@dataclass(frozen=True, slots=True)
class ReadingTimes:
    """N words in their contexts, and how long people took to read them."""

    words: tuple[WordInContext, ...]
    previous: tuple[WordInContext | None, ...]
    """The word before each, in its own context; None if there is none."""
    columns: Mapping[str, NDArray[np.float64]]
    """Name -> (N,) values, NaN where one is missing."""


@dataclass(frozen=True, slots=True)
class Surprisal:
    """A model's surprisal of the N words, in nats."""

    words: NDArray[np.float64]
    """(N,) of each word."""
    previous: NDArray[np.float64]
    """(N,) of the word before each; NaN if there is none."""

    def scores(self, times: ReadingTimes) -> dict[str, float]:
        """Return READING_SCORES: percent of the variance that surprisal explains beyond the words' other properties."""
        values = (
            eye_tracking_score(times.columns, self.words),
            self_paced_score(times.columns, self.words, self.previous),
        )
        return dict(zip(READING_SCORES, values, strict=True))


def read_times(path: Path) -> ReadingTimes:
    """Read reading_data.csv.

    Raises:
        DataError: it is not a CSV file, lacks a column, has no row, or has another value in place of a number or a
            word; the message gives file, line and column.
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
        # pandas reads an empty context as missing, and the pipeline takes the text None instead.
        words.append(WordInContext(item if isinstance(item, str) else "None", str(word)))
        previous.append(WordInContext(str(prev_item), str(prev_word)) if has_previous else None)
    return ReadingTimes(tuple(words), tuple(previous), columns)


class ReadingScorer:
    """The words of the task, tokenised once and scored by any number of models with the same tokenizer.

    Args:
        times: the words in their contexts.
        tokenizer: a fast one.
        backend: a name of BACKENDS; those that mask need a mask token.
        batch_tokens: highest number of tokens in one forward pass.

    Raises:
        DataError: the tokenizer has no token for a word.
    """

    def __init__(
        self, times: ReadingTimes, tokenizer: "PreTrainedTokenizerBase", *, backend: str, batch_tokens: int
    ) -> None:
        self._times = times
        places = list(dict.fromkeys([*times.words, *(place for place in times.previous if place is not None)]))
        splitter = _WordSplitter(tokenizer)
        steps = [list(splitter.steps(place)) for place in places]
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
            pad=padding_token(tokenizer, backend),
            mask=tokenizer.mask_token_id if rule.masks else None,
            batch_tokens=batch_tokens,
            shift=rule.shift,
        )

    @property
    def num_tokens(self) -> int:
        """Number of tokens that a model reads: the sum of the calls of `advance`."""
        return self._cloze.num_tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest text, including special ones."""
        return int(self._lengths_P.max())

    def num_longer(self, positions: int) -> int:
        """Return how many words have a text of more than `positions` tokens; repeated words count repeatedly."""
        longer = set(self._place_P[self._lengths_P > positions].tolist())
        return sum(self._number[place] in longer for place in self._times.words)

    def score(self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None) -> Surprisal:
        """Return the surprisal of every word and of the word before it; the model stays as it was.

        Args:
            model: any that the back end can score, on its own device.
            advance: called after each batch with the number of tokens that it had.
        """
        answers = self._cloze.score(model, advance)
        nats = -np.bincount(self._place_P, weights=answers, minlength=len(self._number))
        words = np.array([nats[self._number[place]] for place in self._times.words])
        previous = [math.nan if place is None else nats[self._number[place]] for place in self._times.previous]
        return Surprisal(words, np.array(previous, dtype=np.float64))


class _WordSplitter:
    """Splits words into tokens, each with the text before it."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._texts: dict[int, str] = {}
        self._firsts: dict[str, int] = {}

    def steps(self, place: WordInContext) -> Iterator[tuple[str, int]]:
        """Yield (text before, token) for each token of a word."""
        tokens = self._ids(place.word)
        if not tokens:
            raise DataError(f"a word must have at least one token to be scored; got none for {place.word!r}")
        before = place.before
        for index, token in enumerate(tokens):
            # As in the pipeline: of each token after the first, the text is tokenised again.
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
                raise DataError(f"a part of {place.word!r} is {text!r} as text, for which the tokenizer has no token")
            self._firsts[text] = ids[0]
        return self._firsts[text]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _rows(
    prefixes: list[str], tokenizer: "PreTrainedTokenizerBase", *, masks: bool
) -> tuple[list[NDArray[np.int32]], list[int]]:
    """Return the tokens that a model reads before it predicts the next one, and the position of that one."""
    different = list(dict.fromkeys(prefixes))
    tail = str(tokenizer.mask_token) * NUM_MASKS if masks else ""
    with one_thread():
        encoded = tokenizer([prefix + tail for prefix in different], return_attention_mask=False)["input_ids"]
    rows = {prefix: np.array(ids, dtype=np.int32) for prefix, ids in zip(different, encoded, strict=True)}
    texts = [rows[prefix] for prefix in prefixes]
    if not masks:
        return texts, [len(text) for text in texts]
    # At most one special token may end the row, as in the pipeline.
    closed = [int(text[-1] != tokenizer.mask_token_id) for text in texts]
    return texts, [len(text) - NUM_MASKS - end for text, end in zip(texts, closed, strict=True)]
