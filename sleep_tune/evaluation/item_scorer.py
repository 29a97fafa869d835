"""Scores of items' options: texts become tokens once, and any number of models scores them.

The tokens that are scored are those of BabyLM's pipeline: tokens whose characters end after the start of the
completion (`end > len(text) - len(completion)`). Special tokens around a text have no characters, so they are never
scored.

    scorer = ItemScorer(items, tokenizer, backend="mlm", batch_tokens=16_384)
    scores = scorer.score(model)  # for each item (number of options,) nats
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.encoding import CHUNK, one_thread
from sleep_tune.evaluation.backends import BACKENDS, CAUSAL
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.evaluation.items import Item, TextOption

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["ItemScorer"]

Ints = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class TokenizedOption:
    """The tokens of an option."""

    text: Ints
    """Token ids; for a causal model only those before the last scored token, because it sees nothing later."""
    positions: Ints
    """Indices of the tokens whose log-probabilities are summed; may be empty."""
    targets: Ints
    """The tokens at these positions."""


class ItemScorer:
    """Items of any number of tasks, tokenised once and scored by any number of models with the same tokenizer."""

    def __init__(
        self, items: Sequence[Item], tokenizer: "PreTrainedTokenizerBase", *, backend: str, batch_tokens: int
    ) -> None:
        """Tokenise the texts and plan the batches.

        Args:
            items: of any number of tasks.
            tokenizer: a fast one; adds its special tokens, and never truncates a text.
            backend: a name of BACKENDS.
            batch_tokens: highest number of tokens in one forward pass.
        """
        rule = BACKENDS[backend]
        self._shift, self._batch_tokens = rule.shift, batch_tokens
        self._pad = padding_token(tokenizer, backend)
        self._mask = tokenizer.mask_token_id if rule.masks else None
        self._plan(
            tuple(items),
            tuple(tokenize_options([option for item in items for option in item.options], tokenizer, backend)),
        )

    def _plan(self, items: tuple[Item, ...], tokenized: tuple[TokenizedOption, ...]) -> None:
        """Plan the batches of all options that have a token to score."""
        self.items, self.tokenized = items, tokenized
        self._sizes = np.array([len(item.options) for item in items], dtype=np.int64)
        sizes = np.array([len(one.positions) for one in tokenized], dtype=np.int64)
        per_token = np.repeat(np.array([item.per_token for item in items], dtype=np.bool_), self._sizes)
        self._divisors = np.where(per_token, np.maximum(sizes, 1), 1)
        self._option_P = np.repeat(np.arange(len(tokenized)), sizes)
        self._cloze = None
        if len(self._option_P):
            read = [one for one in tokenized if len(one.positions)]
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
        """Return a scorer of some of the items, by their indices, without tokenising again."""
        starts = np.cumsum(self._sizes) - self._sizes
        part = copy.copy(self)
        part._plan(
            tuple(self.items[index] for index in chosen.tolist()),
            tuple(
                self.tokenized[at]
                for index in chosen.tolist()
                for at in range(starts[index], starts[index] + self._sizes[index])
            ),
        )
        return part

    @property
    def num_tokens(self) -> int:
        """Number of tokens that a model reads: the sum of the calls of `advance`."""
        return self._cloze.num_tokens if self._cloze is not None else 0

    def score(
        self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None
    ) -> tuple[NDArray[np.float64], ...]:
        """Score each option; the model's mode and torch's random state stay as they were.

        Args:
            model: any that the back end can score, on its own device and in its own precision.
            advance: called after each batch with the number of tokens that it had.

        Returns:
            For each item (number of options,) the sum of log-probabilities of the option's ending, in nats, or their
            mean if the item is scored per token; 0 if the ending has no token.
        """
        answers = self._cloze.score(model, advance) if self._cloze is not None else np.zeros(0)
        totals = np.bincount(self._option_P, weights=answers, minlength=len(self.tokenized)).astype(np.float64)
        totals /= self._divisors
        return tuple(np.split(totals, np.cumsum(self._sizes)[:-1])) if len(self._sizes) else ()

    def alike(self) -> NDArray[np.bool_]:
        """Return (number of items,): whether two options of an item are equal in tokens and scored positions."""
        keys = iter([(one.text.tobytes(), one.positions.tobytes(), one.targets.tobytes()) for one in self.tokenized])
        return np.array(
            [len({next(keys) for _ in range(size)}) < size for size in self._sizes.tolist()], dtype=np.bool_
        )

    def longest(self) -> NDArray[np.int64]:
        """Return (number of items,): tokens that are read for the item's longest option, including special ones."""
        lengths = np.array([len(one.text) for one in self.tokenized], dtype=np.int64)
        return np.maximum.reduceat(lengths, np.cumsum(self._sizes) - self._sizes) if len(self._sizes) else lengths


def tokenize_options(
    options: Sequence[TextOption], tokenizer: "PreTrainedTokenizerBase", backend: str
) -> Iterator[TokenizedOption]:
    """Tokenise options; equal texts are tokenised once."""
    rule = BACKENDS[backend]
    encoded: dict[str, tuple[NDArray[np.int32], NDArray[np.int64], int]] = {}
    texts = list(dict.fromkeys(option.text for option in options))
    for at in range(0, len(texts), CHUNK):
        chunk = texts[at : at + CHUNK]
        with one_thread():
            batch = tokenizer(chunk, return_offsets_mapping=True, return_attention_mask=False)
        for text, ids, offsets in zip(chunk, batch["input_ids"], batch["offset_mapping"], strict=True):
            ends = np.fromiter((end for _, end in offsets), np.int64, len(offsets))
            first = int(offsets[0][0]) if offsets and backend == CAUSAL else 0
            encoded[text] = (np.array(ids, dtype=np.int32), ends, first)
    for option in options:
        ids, ends, first = encoded[option.text]
        # The pipeline counts a causal model's characters from where its first token begins.
        start = len(option.text) - len(option.ending) + first
        # A model that predicts the next token cannot predict the first one.
        positions = np.flatnonzero((ends > start) & (np.arange(len(ends)) >= rule.shift))
        if not rule.masks:
            yield TokenizedOption(ids[: positions[-1] if len(positions) else 0], positions, ids[positions])
        else:
            yield TokenizedOption(ids, positions, ids[positions])


def padding_token(tokenizer: "PreTrainedTokenizerBase", backend: str) -> int:
    """Return the token that pads a row: any one if the tokenizer has none, because it gets no attention."""
    if backend == CAUSAL:
        candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    else:
        candidates = (tokenizer.pad_token_id, tokenizer.cls_token_id)
    return next((int(token) for token in candidates if token is not None), 0)
