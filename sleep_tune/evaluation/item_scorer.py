"""From items to what the engine asks: texts as tokens, and which of them an option's score adds up.

Knows no tasks and no files. What is scored follows BabyLM's pipeline to the token: those whose characters end after
the start of the completion (`end > len(text) - len(completion)`). Special tokens that frame a text stand for no
characters, so they are never scored.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.encoding import CHUNK, one_thread
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.evaluation.items import Item, TextOption

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["ItemScorer"]

Ints = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class TokenizedOption:
    """An option as tokens."""

    text: Ints
    """Token ids; for a causal model only up to the last that is asked about, for nothing later reaches it."""
    positions: Ints
    """Indices of the tokens whose log-probabilities are added up; may be empty."""
    targets: Ints
    """Those tokens."""


class ItemScorer:
    """The options of items made ready once, of all tasks together, and put to any number of models."""

    def __init__(
        self, items: Sequence[Item], tokenizer: "PreTrainedTokenizerBase", *, backend: str, batch_tokens: int
    ) -> None:
        """Tokenise the texts and plan the batches.

        Args:
            items: of any number of tasks.
            tokenizer: a fast one; frames a text as it does by itself, and never truncates it.
            backend: a name of BACKENDS.
            batch_tokens: tokens in one forward pass, at most.
        """
        rule = BACKENDS[backend]
        self._shift, self._batch_tokens = rule.shift, batch_tokens
        self._pad = padding(tokenizer, backend)
        self._mask = tokenizer.mask_token_id if rule.masks else None
        self._plan(
            tuple(items),
            tuple(tokenize_options([option for item in items for option in item.options], tokenizer, backend)),
        )

    def _plan(self, items: tuple[Item, ...], asked: tuple[TokenizedOption, ...]) -> None:
        """Hand to the engine the options that have a token to score."""
        self.items, self.asked = items, asked
        self._sizes = np.array([len(item.options) for item in items], dtype=np.int64)
        sizes = np.array([len(one.positions) for one in asked], dtype=np.int64)
        self._option_P = np.repeat(np.arange(len(asked)), sizes)
        self._cloze = None
        if len(self._option_P):
            read = [one for one in asked if len(one.positions)]
            position_P = np.concatenate([one.positions for one in read])
            self._cloze = Cloze(
                [one.text for one in read],
                Probes(
                    text=np.repeat(np.arange(len(read)), sizes[sizes > 0]),
                    position=position_P,
                    group=position_P if self._mask is not None else np.zeros_like(position_P),
                    target=np.concatenate([one.targets for one in read]),
                ),
                pad=self._pad,
                mask=self._mask,
                batch_tokens=self._batch_tokens,
                shift=self._shift,
            )

    def subset(self, chosen: NDArray[np.integer]) -> "ItemScorer":
        """Some of the items, by their indices, with nothing tokenised again."""
        starts = np.cumsum(self._sizes) - self._sizes
        part = copy.copy(self)
        part._plan(
            tuple(self.items[index] for index in chosen.tolist()),
            tuple(
                self.asked[at]
                for index in chosen.tolist()
                for at in range(starts[index], starts[index] + self._sizes[index])
            ),
        )
        return part

    @property
    def num_tokens(self) -> int:
        """Tokens that a model reads: what `advance` adds up to."""
        return self._cloze.num_tokens if self._cloze is not None else 0

    def score(
        self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None
    ) -> tuple[NDArray[np.float64], ...]:
        """How probable the model finds each option, leaving the model undisturbed.

        Args:
            model: any that the back end can ask, on its own device and in its own precision.
            advance: told after each batch how many more tokens have been read.

        Returns:
            For each item the sum of log-probabilities, in nats, of each option's ending: 0 where it has no token.
        """
        answers = self._cloze.score(model, advance) if self._cloze is not None else np.zeros(0)
        totals = np.bincount(self._option_P, weights=answers, minlength=len(self.asked)).astype(np.float64)
        return tuple(np.split(totals, np.cumsum(self._sizes)[:-1])) if len(self._sizes) else ()

    def alike(self) -> NDArray[np.bool_]:
        """(number of items,) True where two options of an item are the same tokens, asked at the same places."""
        keys = iter([(one.text.tobytes(), one.positions.tobytes(), one.targets.tobytes()) for one in self.asked])
        return np.array(
            [len({next(keys) for _ in range(size)}) < size for size in self._sizes.tolist()], dtype=np.bool_
        )

    def longest(self) -> NDArray[np.int64]:
        """(number of items,) tokens that are read for each item's longest option, special ones included."""
        lengths = np.array([len(one.text) for one in self.asked], dtype=np.int64)
        return np.maximum.reduceat(lengths, np.cumsum(self._sizes) - self._sizes) if len(self._sizes) else lengths


def tokenize_options(
    options: Sequence[TextOption], tokenizer: "PreTrainedTokenizerBase", backend: str
) -> Iterator[TokenizedOption]:
    """Tokenise options, each different text once."""
    rule = BACKENDS[backend]
    encoded: dict[str, tuple[NDArray[np.int32], NDArray[np.int64], int]] = {}
    texts = list(dict.fromkeys(option.text for option in options))
    for at in range(0, len(texts), CHUNK):
        chunk = texts[at : at + CHUNK]
        with one_thread():
            batch = tokenizer(chunk, return_offsets_mapping=True, return_attention_mask=False)
        for text, ids, offsets in zip(chunk, batch["input_ids"], batch["offset_mapping"], strict=True):
            ends = np.fromiter((end for _, end in offsets), np.int64, len(offsets))
            first = int(offsets[0][0]) if offsets and backend == "causal" else 0
            encoded[text] = (np.array(ids, dtype=np.int32), ends, first)
    for option in options:
        ids, ends, first = encoded[option.text]
        # The pipeline counts a causal model's characters from where its first token begins.
        start = len(option.text) - len(option.ending) + first
        # Nothing stands before the first token that could foretell it.
        positions = np.flatnonzero((ends > start) & (np.arange(len(ends)) >= rule.shift))
        if not rule.masks:
            yield TokenizedOption(ids[: positions[-1] if len(positions) else 0], positions, ids[positions])
        else:
            yield TokenizedOption(ids, positions, ids[positions])


def padding(tokenizer: "PreTrainedTokenizerBase", backend: str) -> int:
    """What fills a row: no attention is paid to it, so where the tokenizer has no padding any token will do."""
    if backend == "causal":
        candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    else:
        candidates = (tokenizer.pad_token_id, tokenizer.cls_token_id)
    return next((int(token) for token in candidates if token is not None), 0)
