"""The replay of a run: buffers are chosen, handed out row by row, replaced when they are exhausted, and recorded."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.buffer import SCOPES, Replay, buffer_size, choose_buffer
from sleep_tune.sleep.context import CONTEXTS, ReplayRows
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.signals import SIGNALS
from sleep_tune.sleep.sleep_phase import SleepPhase
from sleep_tune.sleep.sleep_record import SleepRecord, from_rows, to_rows

__all__ = ["Replayer"]

_NUMBERS = {"_rows_replayed": "rows_replayed", "_rows_chosen": "rows_chosen"}
"""Key in a checkpoint -> attribute, an integer."""


class Replayer:
    """The buffers of a run, one after another, and what was replayed of them.

    Attributes:
        phase: the current buffer, and the position in it; None while there is none.
        buffer_words: words that begin in the samples of the buffer chosen last.
        rows_replayed: rows replayed so far.
        rows_chosen: sum of the sizes of the buffers of all cycles so far, whether they were replayed or not.
    """

    def __init__(
        self, samples: Samples, plan: SleepPlan, replay: Replay, history: SampleHistory, *, context: str, seed: int
    ) -> None:
        """Begin without a buffer.

        Args:
            samples: the corpus, N rows.
            plan: of the run.
            replay: how buffers are chosen.
            history: of the N samples.
            context: a name in `CONTEXTS`.
            seed: the run's seed, >= 0.
        """
        self.phase: SleepPhase | None = None
        self.buffer_words = 0
        self.rows_replayed = 0
        self.rows_chosen = 0
        self._samples = samples
        self._plan = plan
        self._replay = replay
        self._history = history
        self._make_pass = CONTEXTS[context](samples)
        self._seed = seed
        self._records: list[SleepRecord] = []

    def candidates(self, last_read: NDArray[np.int32], cycle: int) -> NDArray[np.intp]:
        """Return the samples, (C,), that may be replayed after the fold of a cycle.

        Args:
            last_read: (N,) cycle of each sample's last reading, that fold included; -1 before the first.
            cycle: from 0.
        """
        return SCOPES[self._replay.scope](last_read, cycle)

    def end_fold(self, cycle: int) -> NDArray[np.intp]:
        """Count the buffer of a cycle whose fold has its scores, and return its candidates, (C,)."""
        candidates = self.candidates(self._history.last_read, cycle)
        self.rows_chosen += buffer_size(len(candidates), self._replay.ratio)
        return candidates

    def begin(self, candidates: NDArray[np.intp], cycle: int, *, first_pass: int = 0) -> None:
        """Choose a buffer, unless no candidate may be replayed any more.

        Args:
            candidates: (C,) of the cycle, C >= 1, whether they have been seen as often as they may or not.
            cycle: a cycle whose fold has its scores.
            first_pass: passes over earlier buffers of the cycle.
        """
        size = buffer_size(len(candidates), self._replay.ratio)
        left = self._replays_left(candidates)
        if left is not None:
            candidates = candidates[left > 0]
            size = min(size, len(candidates))
        if size:
            buffer = choose_buffer(
                candidates,
                self._history,
                sources=self._samples.sources,
                size=size,
                cycle=cycle,
                replay=self._replay,
                rng=generator(self._seed, Purpose.BUFFER, cycle, first_pass),
            )
            self._begin_on(
                buffer,
                cycle=cycle,
                num_candidates=len(candidates),
                limits=self._replays_left(buffer),
                first_pass=first_pass,
            )
            if self._plan.ratio is not None and not self.buffer_words:
                self.phase = None  # no word begins in it: it could never fill a share of words

    def replace(self, exhausted: SleepPhase) -> None:
        """Choose another buffer for the cycle of the current one, whose samples have been seen as often as they may."""
        self.end()
        candidates = self.candidates(self._history.last_read, exhausted.cycle)
        self.begin(candidates, exhausted.cycle, first_pass=exhausted.passes)

    def end(self) -> None:
        """Leave the current buffer, if there is one; record it if any of it was replayed."""
        phase, self.phase = self.phase, None
        if phase is not None and phase.batches:
            scores, previous = self._history.scores[phase.buffer], self._history.previous
            signal = SIGNALS[self._replay.signal](phase.buffer, scores, previous)
            self._records.append(phase.record(self._samples, self._history, signal=signal))

    def add(self, phase: SleepPhase, rows: ReplayRows) -> None:
        """Count rows that were drawn from the current buffer and are trained on, in one batch."""
        self._history.mark_replayed(rows.begun)
        phase.add(rows)
        self.rows_replayed += len(rows.input_ids)

    def may_be_read(self, samples: NDArray[np.int32]) -> bool:
        """Return whether none of the samples, (R,), has been seen as often as it may.

        With a plan that was checked, only the last ones of a run have: those of a pass beyond the planned ones, where
        rounding left a rest of the budget that no replay could use.
        """
        most = self._replay.max_exposures
        return most is None or not (self._history.times_seen[samples] >= most).any()

    def take_records(self) -> list[SleepRecord]:
        """Return the records of the buffers that were left since the last call."""
        records, self._records = self._records, []
        return records

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and plain numbers."""
        state: dict[str, Any] = {key: getattr(self, name) for key, name in _NUMBERS.items()}
        state |= {"records": to_rows(self._records), "buffer": np.empty(0, np.int32)}
        return state if self.phase is None else state | self.phase.state_dict()

    def load_state_dict(self, state: Mapping[str, Any], cycle: int) -> None:
        """Restore what `state_dict` returned.

        Args:
            state: also of the history. Earlier versions kept the buffer alone: it was the first one of its cycle, all
                candidates could be in it, and nothing was limited.
            cycle: that of the next batch.
        """
        for key, name in _NUMBERS.items():
            setattr(self, name, int(state[key]))
        self._records = from_rows(np.asarray(state["records"]), self._samples.source_names)
        self.phase = None
        buffer = np.asarray(state["buffer"], np.int32)
        if len(buffer):
            candidates = self.candidates(np.asarray(state["last_read"]), cycle)
            phase = self._begin_on(
                buffer,
                cycle=int(state.get("buffer_cycle", cycle)),
                num_candidates=int(state.get("buffer_candidates", len(candidates))),
                limits=state.get("buffer_limits"),
                first_pass=int(state.get("buffer_first_pass", 0)),
            )
            phase.load_state_dict(state)

    def _begin_on(self, buffer: NDArray[np.int32], **given: Any) -> SleepPhase:
        """Begin a buffer, (n,), and return it; `given` are the other arguments of `SleepPhase`."""
        self.buffer_words = int(self._samples.words[buffer].sum(dtype=np.int64))
        self.phase = SleepPhase(self._make_pass, buffer, seed=self._seed, **given)
        return self.phase

    def _replays_left(self, samples: NDArray[np.integer]) -> NDArray[np.int32] | None:
        """Return how often each sample that was read may still be replayed, (R,); None if there is no limit.

        The readings that the passes to come will add are set aside.
        """
        if self._replay.max_exposures is None:
            return None
        readings = self._history.last_read[samples] // self._plan.folds + 1
        to_come = np.maximum(math.ceil(self._plan.passes or 0) - readings, 0)
        return np.asarray(self._replay.max_exposures - self._history.times_seen[samples] - to_come, np.int32)
