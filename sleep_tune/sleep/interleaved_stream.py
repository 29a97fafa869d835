"""The interleaved control: replay is mixed into the batches that are read, instead of phases of its own.

Whether sleep helps by being a phase, or by replay as such, is what complementary learning systems leave open
(McClelland, McNaughton and O'Reilly 1995: new items are learned best when they are interleaved with old ones).
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan, to_fraction
from sleep_tune.sleep.buffer import Replay, buffer_size
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleep_phase import SleepPhase
from sleep_tune.sleep.stream import SleepStream

__all__ = ["InterleavedStream"]


class InterleavedStream(SleepStream):
    """A `SleepStream` whose replay is mixed into the batches of the fold that is read after its buffer was chosen.

    Folds, scores and the choice of buffers are those of the run with sleep phases. The first fold is read alone. From
    the second on each batch holds the same share of replayed rows, to a row, such that at the end of the fold as many
    words were seen as the run with sleep phases sees until the end of that cycle; so the second fold makes up for the
    first. All batches are awake. In each, the rows that are read come first.
    """

    _piece = 1

    def __init__(self, samples: Samples, plan: SleepPlan, replay: Replay, *, context: str, seed: int) -> None:
        """Begin a run; the arguments are those of `SleepStream`."""
        super().__init__(samples, plan, replay, context=context, seed=seed)
        self._replayed_before = 0  # rows replayed before the fold of the next batch
        self._begin_fold()

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and plain numbers that `np.savez` takes."""
        return super().state_dict() | {"replayed_before": self._replayed_before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a stream made with the same arguments."""
        super().load_state_dict(state)
        self._replayed_before = int(state["replayed_before"])
        self._begin_fold()

    @property
    def _is_reading(self) -> bool:
        """Every batch is read."""
        return True

    @property
    def _fold_bounds(self) -> tuple[int, int]:
        """Rows of the pass where the fold of the next batch begins and ends."""
        fold = self._next_cycle % self.plan.folds
        return self._wake_pass.bounds[fold], self._wake_pass.bounds[fold + 1]

    def _begin_fold(self) -> None:
        """Compute what the fold still holds, from the stream's position in it."""
        begin, end = self._fold_bounds
        self._words_left = int(self._wake_pass.words[self._next_in_pass : end].sum())
        self._rows_due = 0  # rows of all buffers until the end of this cycle; needed where buffers are counted in rows
        if self.plan.ratio is None:
            last_read = self.history.last_read.copy()
            last_read[self._wake_pass.rows(begin, end)] = self._next_cycle
            candidates = self._replayer.candidates(last_read, self._next_cycle)
            self._rows_due = self._replayer.rows_chosen + buffer_size(len(candidates), self._replay.ratio)

    def _advance(self) -> None:
        """Score a fold that was read and choose the buffer of the next; replace one that is exhausted."""
        phase = self._replayer.phase
        if self._fold_is_read():
            self._replayer.end()  # while the ages of its samples are what they were
            self._replayer.begin(self._score_fold(), self._next_cycle)
            self._end_cycle()
            self._replayed_before = self._replayer.rows_replayed
            self._begin_fold()
        elif phase is not None and phase.is_exhausted:
            self._replayer.replace(phase)

    def _draw(self) -> Batch | None:
        """Return the next batch, or None if it exceeds the budget, or the limit of exposures."""
        phase = self._replayer.phase
        rows_read = self._next_cycle // self.plan.folds * self.plan.num_samples + self._next_in_pass
        num_rows = self.plan.rows_in_batch(rows_read + self._replayer.rows_replayed)
        owed = Fraction(0) if phase is None else self._replays_owed(phase)
        num_awake = self._rows_awake(num_rows, owed)
        rows = self._wake_pass.rows(self._next_in_pass, self._next_in_pass + num_awake)
        words = int(self._samples.words[rows].sum(dtype=np.int64))
        replayed = phase.draw(num_rows - num_awake) if phase is not None and owed and num_awake < num_rows else None
        words_replayed = 0 if replayed is None else replayed.words
        if self.words_seen + words + words_replayed > self.plan.budget_words or not self._replayer.may_be_read(rows):
            return None
        input_ids, sample_ids = self._read(rows, words)
        self._next_in_pass += num_awake
        self._words_left -= words
        if phase is None or replayed is None:
            return self._batch("wake", input_ids, sample_ids, words)
        self._replayer.add(phase, replayed)
        return self._batch(
            "wake",
            np.concatenate([input_ids, replayed.input_ids]),
            np.concatenate([sample_ids, replayed.sample_ids]),
            words + replayed.words,
            np.concatenate([np.full(num_awake, -1, np.int32), replayed.replays]),
        )

    def _rows_awake(self, num_rows: int, owed: Fraction) -> int:
        """Return how many rows of the next batch are read, in [0, num_rows].

        What the fold still holds, and what is to be replayed until its end, is rounded to whole batches; over these the
        rows that are read are spread evenly. What rounding adds or leaves out is made up for in the next fold.

        Args:
            num_rows: rows of the batch.
            owed: rows to replay until the end of the fold, >= 0; if 0, the rest of the fold is read alone.
        """
        begin, end = self._fold_bounds
        read, left = self._next_in_pass - begin, end - self._next_in_pass
        if not owed:
            return min(num_rows, left)
        done = read + self._replayer.rows_replayed - self._replayed_before
        # Batches after this one. `round` would turn halves to even numbers, thus up and down in turns.
        more = max(math.floor((left + owed - num_rows) / self.plan.batch_size + Fraction(1, 2)), 0)
        rows = done + num_rows + more * self.plan.batch_size
        target = (end - begin) * (done + num_rows) // rows  # the whole fold is read in the last batch only
        return min(max(target - read, 0), left, num_rows)

    def _replays_owed(self, phase: SleepPhase) -> Fraction:
        """Return how many rows are still to be replayed until the end of the fold, >= 0.

        Words are counted as rows by the words of a row of the buffer: those of its samples and, since a context may cut
        them in another way, of the rows so far.
        """
        plan = self.plan
        if plan.ratio is None:
            return max(to_fraction(plan.repeats or 0) * self._rows_due - self._replayer.rows_replayed, Fraction(0))
        words_read = self.words_read_awake + self._words_left
        words_owed = plan.ratio * words_read - (self.words_seen - self.words_read_awake)
        rows, words = len(phase.buffer) + phase.rows, self._replayer.buffer_words + phase.words
        return max(words_owed * rows / words, Fraction(0))
