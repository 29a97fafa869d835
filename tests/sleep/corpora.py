"""Small corpora and a run that answers for the model: shared by the tests of the mechanism."""

import io
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.batch_stream import BatchStream
from sleep_tune.sleep.samples import Samples, SpecialTokens

Stream = TypeVar("Stream", bound=BatchStream)

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
FIRST_TEXT = 5


def packed(num_samples: int, max_length: int, *, seed: int = 0, padded: bool = False) -> Samples:
    """Random sentences packed row after row; the last row is padded, or with `padded` any row may be."""
    rng = np.random.default_rng([seed, 77])
    tokens = np.full((num_samples, max_length), SPECIAL.pad, np.int16)
    tokens[:, 0] = SPECIAL.start
    lengths = rng.integers(1, max_length, num_samples) if padded else np.full(num_samples, max_length - 1)
    lengths[-1] = rng.integers(1, max_length)
    starts_word = np.zeros(tokens.shape, np.bool_)
    for row, length in enumerate(lengths):
        content = rng.integers(FIRST_TEXT, 100, length)
        ends = rng.random(length) < 0.2
        ends[0] = False  # every row holds text to predict
        tokens[row, 1 : 1 + length] = np.where(ends, SPECIAL.separator, content)
        starts_word[row, 1 : 1 + length] = ~ends & (rng.random(length) < 0.8)
    starts_word[0, 1] = True
    return samples_of(tokens, starts_word, sources=rng.integers(0, 2, num_samples))


def of_words(words: NDArray[np.integer]) -> Samples:
    """A corpus whose row i begins words[i] words, in rows as short as can be.

    A row has one text token; where a corpus flags the words that begin at it, here stands their number. A row's sum is
    all that whole rows need.
    """
    starts_word = np.stack([np.zeros_like(words), words], axis=1).astype(np.int16)
    tokens = np.full(starts_word.shape, FIRST_TEXT, np.int16)
    tokens[:, 0] = SPECIAL.start
    return samples_of(tokens, starts_word)


def samples_of(
    tokens: NDArray[np.integer], starts_word: NDArray[np.generic], *, sources: NDArray[np.integer] | None = None
) -> Samples:
    """Samples of given rows, from two sources."""
    return Samples(
        tokens=tokens,
        starts_word=starts_word,  # type: ignore[arg-type]
        sources=np.zeros(len(tokens), np.int16) if sources is None else sources.astype(np.int16),
        source_names=("books", "talk"),
        special=SPECIAL,
        vocab_size=100,
    )


def play(stream: BatchStream, *, seed: int = 0) -> Iterator[Batch]:
    """Every batch of a run. Losses come when they are needed: `losses_of` each batch that needs them."""
    kept: list[tuple[NDArray[np.generic], ...]] = []
    while True:
        if stream.needs_scores:
            stream.observe(*map(np.concatenate, zip(*kept, strict=True)))
            kept = []
        batch = stream.next_batch()
        if batch is None:
            return
        if stream.needs_losses(batch.phase):
            kept.append(losses_of(batch, seed=seed))
        yield batch


def losses_of(batch: Batch, *, seed: int = 0) -> tuple[NDArray[np.generic], ...]:
    """What `observe` takes: for each sample in each row two positions, their loss drawn by batch, row and sample."""
    rows = [np.unique(row[row >= 0]) for row in batch.sample_ids]
    ids = np.concatenate(rows)
    numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    replays = np.full(len(rows), -1) if batch.replays is None else batch.replays
    drawn = np.random.default_rng([seed, 78, batch.index]).random(len(ids)) * 9 + 1
    return ids, 2 * drawn, np.full(len(ids), 2), replays[numbers]


def reopened(stream: Stream, fresh: Stream) -> Stream:
    """The stream as a checkpoint brings it back: through a file of arrays, into a new object."""
    file = io.BytesIO()
    np.savez(file, **stream.state_dict())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        fresh.load_state_dict(state)
    return fresh
