"""Age of acquisition: surprisal of words in contexts at checkpoints of training, and the official file of it.

words = read_words(data / CONTEXTS_FILE)
checkpoints, missing = find_checkpoints(run / "checkpoints", "strict-small")
surprisals, unread = score_checkpoints(words, checkpoints, backend="mlm", batch_tokens=16_384)
"""

import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.protocols import AGE_SCORE, AGE_SURPRISAL
from sleep_tune.errors import DataError
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, TextOption
from sleep_tune.evaluation.learning_curves import AGE_RULES, AgeComparison, AgeRules, compare_ages, read_children
from sleep_tune.evaluation.model_folder import Note, load_fast_tokenizer, load_model
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.files import write_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "CHILDREN_FILE",
    "CONTEXTS_FILE",
    "FOLDER",
    "WordScorer",
    "Words",
    "compare_with_children",
    "find_checkpoints",
    "read_words",
    "score_checkpoints",
    "surprisal_record",
    "write_score",
    "write_surprisal",
]

CONTEXTS_FILE, CHILDREN_FILE = "cdi_childes.json", "cdi_human.csv"
"""Files in the folder `aoa`: words in context, and shares of children who say them at each age."""

FOLDER = "AoA_word"
"""Folder of the files, beside those of the zero-shot tasks."""

PRECEDING = "The"
"""Word after which the official function counts a word's tokens."""

MILLION = 1_000_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """Words, and the contexts after which each is scored."""

    contexts: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        """Return the number of all contexts."""
        return sum(map(len, self.contexts.values()))

    def __iter__(self) -> Iterator[tuple[str, int, str]]:
        """Yield (word, number of its context, context), in the file's order."""
        for word, contexts in self.contexts.items():
            for number, context in enumerate(contexts):
                yield word, number, context


def read_words(path: Path) -> Words:
    """Read cdi_childes.json. Words of one letter are dropped, as in the pipeline.

    Raises:
        DataError: it is not a JSON object of lists of {"context": text}; the message gives the file and the word.
    """
    if not path.is_file():
        raise DataError(
            f"{path} must be BabyLM's file of words in context (https://osf.io/ryjfm); there is no such file"
        )
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} must be a JSON file: {error}") from error
    if not isinstance(read, dict):
        raise DataError(f"{path} must hold an object, word -> contexts; got {type(read).__name__}")
    contexts = {}
    for word, found in read.items():
        texts = (
            [one.get("context") if isinstance(one, dict) else None for one in found]
            if isinstance(found, list)
            else [None]
        )
        if not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"{path}: '{word}' must have a list of objects with the text 'context'; got {str(found)[:80]}"
            )
        if len(word) > 1:
            contexts[str(word)] = tuple(str(text) for text in texts)
    if not any(contexts.values()):
        raise DataError(f"{path} must hold at least one context of a word of two letters or more; it holds none")
    return Words(contexts)


class WordScorer:
    """All words in all contexts, tokenised once and scored by any number of checkpoints with the same tokenizer.

    Args:
        words: words in contexts.
        tokenizer: of the checkpoints; a fast one.
        backend: a name of BACKENDS.
        batch_tokens: highest number of tokens in one forward pass.
        positions: tokens in the longest text that the models can read; None: no limit.
    """

    def __init__(
        self,
        words: Words,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        backend: str,
        batch_tokens: int,
        positions: int | None = None,
    ) -> None:
        items = [
            Item(word, f"{word}_{number}", (TextOption(f"{context.strip()} {word.strip()}", word.strip()),))
            for word, number, context in words
        ]
        every = ItemScorer(items, tokenizer, backend=backend, batch_tokens=batch_tokens)
        fits = np.array([len(option.positions) > 0 for option in every.tokenized])
        if positions is not None:
            fits &= every.longest() <= positions
        self._scored = np.flatnonzero(fits)
        self._size = len(items)
        self._scorer = every if fits.all() else every.subset(self._scored)

    @property
    def num_unread(self) -> int:
        """Number of contexts without surprisal: too long for the models, or the word has no token."""
        return self._size - len(self._scored)

    def surprisal(self, model: "PreTrainedModel") -> list[float]:
        """Return nats of each word in each context, in the order of the words; NaN if it has no surprisal."""
        nats = np.full(self._size, math.nan)
        nats[self._scored] = [-scores[0] for scores in self._scorer.score(model)]
        return [float(value) for value in nats]


def find_checkpoints(folder: Path, track: str) -> tuple[dict[int, Path], list[str]]:
    """Return a track's checkpoints that exist (millions of words seen -> folder) and the names of the missing ones.

    Args:
        folder: holds chck_1M, chck_2M, ...
        track: a key of AOA_CHECKPOINTS.

    Raises:
        DataError: the folder holds no checkpoint.
    """
    names = {millions: f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track]}
    found = {n: folder / name for n, name in names.items() if (folder / name / "config.json").is_file()}
    if not found:
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise DataError(
            f"{folder} must hold checkpoints chck_1M, chck_2M, ... (training.word_checkpoints=true saves them); "
            f"it holds {', '.join(there[:5]) or 'nothing'}"
        )
    return found, [name for n, name in names.items() if n not in found]


def score_checkpoints(
    words: Words,
    checkpoints: Mapping[int, Path],
    *,
    backend: str,
    batch_tokens: int,
    device: str = "cpu",
    trust_remote_code: bool = False,
    advance: Callable[[int], None] | None = None,
    note: Note = warnings.warn,
) -> tuple[dict[int, list[float]], int]:
    """Compute the words' surprisal at every checkpoint; contexts are tokenised once for all with the same tokenizer.

    Args:
        words: words in contexts.
        checkpoints: millions of words seen -> folder.
        backend: a name of BACKENDS.
        batch_tokens: highest number of tokens in one forward pass.
        device: device of the models.
        trust_remote_code: run the Python files in the checkpoints' folders.
        advance: called with 1 after each checkpoint.
        note: called with each warning about a checkpoint.

    Returns:
        Millions of words seen -> nats, in the order of the words; and the number of contexts without surprisal.

    Raises:
        DataError: a checkpoint cannot be opened.
    """
    surprisals: dict[int, list[float]] = {}
    prepared: dict[bytes, WordScorer] = {}
    for millions, folder in sorted(checkpoints.items()):
        model = load_model(folder, backend, trust_remote_code=trust_remote_code, note=note)
        key = (
            (folder / "tokenizer.json").read_bytes() if (folder / "tokenizer.json").is_file() else folder.name.encode()
        )
        if key not in prepared:
            tokenizer = load_fast_tokenizer(folder, backend, model, trust_remote_code=trust_remote_code)
            positions = readable_positions(model)
            prepared[key] = WordScorer(
                words, tokenizer, backend=backend, batch_tokens=batch_tokens, positions=positions
            )
        model.to(device)  # type: ignore[arg-type]
        surprisals[millions] = prepared[key].surprisal(model)
        if advance is not None:
            advance(1)
    return surprisals, max(contexts.num_unread for contexts in prepared.values())


def surprisal_record(words: Words, surprisals: Mapping[int, Sequence[float]], *, model: str, expected: int) -> Row:
    """Return the object of surprisal.json.

    Args:
        words: words in contexts.
        surprisals: millions of words seen -> nats, in the order of the words.
        model: its name or path.
        expected: number of checkpoints of the track.
    """
    rows = [
        {
            "step": f"chck_{millions}M",
            "word_count": millions * MILLION,
            "target_word": word,
            "context_id": number,
            "context": context,
            "surprisal": value,
        }
        for millions, values in surprisals.items()
        for (word, number, context), value in zip(words, values, strict=True)
    ]
    about = {"model_name": model, "use_bos_only": False, "total_steps": expected, "completed_steps": len(surprisals)}
    return {"metadata": about, "results": rows}


def write_surprisal(folder: Path, recorded: Row) -> Path:
    """Write surprisal.json into the back end's folder of a model's results, and return its path.

    A score that was computed from an earlier one is removed.
    """
    path = folder / FOLDER / AGE_SURPRISAL
    (folder / FOLDER / AGE_SCORE).unlink(missing_ok=True)
    write_whole(path, json.dumps(recorded, indent=2))
    return path


def write_score(folder: Path, score: float) -> Path:
    """Write aoa_score.json into the back end's folder of a model's results, and return its path."""
    path = folder / FOLDER / AGE_SCORE
    write_whole(path, json.dumps({"aoa": score}, indent=2))
    return path


def compare_with_children(
    recorded: Mapping[str, Any], children: Path, *, year: str, tokenizer: "PreTrainedTokenizerBase"
) -> AgeComparison:
    """Correlate a model's ages of acquisition, from the object of surprisal.json, with those in cdi_human.csv.

    Args:
        recorded: the object of surprisal.json.
        children: path of cdi_human.csv.
        year: of the protocol.
        tokenizer: the model's.
    """
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for row in recorded["results"]:
        surprisal, seen = curves.setdefault(row["target_word"], ([], []))
        surprisal.append(float(row["surprisal"]))
        seen.append(_words_seen(str(row["step"])))
    rules = AGE_RULES[year]
    return compare_ages(curves, read_children(children), chance=_word_chance(rules, tokenizer), rules=rules)


def _word_chance(rules: AgeRules, tokenizer: "PreTrainedTokenizerBase") -> Callable[[str], float]:
    """Return a function from a word to its surprisal for a model that gives all tokens the same probability.

    A word's tokens are counted after another word, so that a tokenizer's rule for the beginning of a text, or for a
    blank before a word, does not count.
    """
    if rules.fixed_chance is not None:
        fixed = rules.fixed_chance
        return lambda _: fixed
    before = _num_tokens(tokenizer, PRECEDING)
    nats = float(np.log(tokenizer.vocab_size))
    return lambda word: max(1, _num_tokens(tokenizer, f"{PRECEDING} {word}") - before) * nats


def _num_tokens(tokenizer: "PreTrainedTokenizerBase", text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _words_seen(step: str) -> float:
    """Return the number of words in a checkpoint's name: chck_10M is 10 million."""
    found = re.search(r"(\d+)M", step)
    if found is None:
        raise DataError(f"a checkpoint must be named chck_<n>M; got '{step}'")
    return float(found[1]) * MILLION
