"""One sleep phase: an endless stream of rows from a buffer, and how much of it has been replayed."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.context import MakePass, ReplayPass, ReplayRows
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.row_reader import RowReader
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleep_record import EXAMPLES, EXPOSURE_BINS, Example, SleepRecord

__all__ = ["SleepPhase"]


class SleepPhase:
    """Pass after pass over the buffer, each in a fresh order that is drawn when the pass begins.

    The budget decides when the phase ends (`SleepPlan.sleep_continues`); this class only hands out rows. If exposures
    are limited, a pass leaves out the samples that have been in as many as they may.

    Attributes:
        buffer: (n,) int32, the samples that are replayed, each once.
        cycle: the cycle that the buffer was chosen in, from 0.
        words: words handed out so far.
        rows: rows handed out so far.
        batches: batches so far that hold some of them.
    """

    def __init__(
        self,
        make_pass: MakePass,
        buffer: NDArray[np.int32],
        *,
        cycle: int,
        seed: int,
        num_candidates: int,
        limits: NDArray[np.int32] | None = None,
        first_pass: int = 0,
    ) -> None:
        """Begin the phase.

        Args:
            make_pass: turns an order of the buffer into rows (an entry of `CONTEXTS`, given the corpus).
            buffer: (n,) distinct samples, n >= 1.
            cycle: the cycle that the phase belongs to, from 0.
            seed: the run's seed, >= 0.
            num_candidates: samples that the buffer was chosen from, >= n.
            limits: (n,) the most passes that each sample may be in, >= 1; None: no limit.
            first_pass: passes over earlier buffers in the same cycle, >= 0.
        """
        self.buffer = buffer
        self.cycle = cycle
        self.words = 0
        self.rows = 0
        self.batches = 0
        self._num_candidates = num_candidates
        self._limits = limits
        self._first_pass = first_pass
        self._reader = RowReader(partial(_begin_pass, make_pass, buffer, limits, first_pass, cycle, seed))
        self._reader.seek(first_pass, 0)

    @property
    def passes(self) -> int:
        """Passes over buffers of this cycle so far, earlier ones included."""
        return self._reader.passes

    @property
    def is_exhausted(self) -> bool:
        """Whether every sample of the buffer has been in as many passes as it may."""
        between_passes = self._limits is not None and self._reader.cursor == 0
        return between_passes and not len(_of_pass(self.buffer, self._limits, self.passes - self._first_pass))

    def draw(self, num_rows: int) -> ReplayRows:
        """Return the next `num_rows` rows, >= 1; where a pass over the buffer ends, they continue with the next.

        If the buffer is exhausted on the way there are fewer; it must not be exhausted before.
        """
        rows = self._reader.draw(num_rows)
        assert rows is not None, "an exhausted buffer is not drawn from"
        return rows

    def add(self, rows: ReplayRows) -> None:
        """Count rows that were drawn and are trained on, in one batch."""
        self.words += rows.words
        self.rows += len(rows.input_ids)
        self.batches += 1

    def record(self, samples: Samples, history: SampleHistory, *, signal: NDArray[np.floating]) -> SleepRecord:
        """Return what this phase replayed, once it has ended.

        Args:
            samples: the corpus, N rows.
            history: of its N samples, at the end of the phase.
            signal: (n,) what the priorities of the buffer's samples were made of.
        """
        seen = np.bincount(np.minimum(history.times_seen, EXPOSURE_BINS - 1), minlength=EXPOSURE_BINS)
        return SleepRecord(
            cycle=self.cycle,
            buffer_size=len(self.buffer),
            candidates=self._num_candidates,
            words=self.words,
            batches=self.batches,
            mean_score=float(history.scores[self.buffer].mean(dtype=np.float64)),
            mean_age=float(np.mean(self.cycle - history.last_read[self.buffer])),
            sources=samples.source_shares(self.buffer),
            exposures=seen.tolist(),
            examples=self._examples(history),
            mean_signal=float(signal.mean(dtype=np.float64)),
        )

    def _examples(self, history: SampleHistory) -> list[Example]:
        """Return samples at even distances in the buffer's order by score, by partition, without sorting it."""
        scores = history.scores[self.buffer]
        last = len(scores) - 1
        ranks = np.unique(np.linspace(last, 0, min(EXAMPLES, len(scores))).round().astype(np.intp))
        chosen = self.buffer[np.argpartition(scores, ranks)[ranks[::-1]]]
        return [
            Example(
                sample=int(sample),
                score=float(history.scores[sample]),
                age=int(self.cycle - history.last_read[sample]),
                times_seen=int(history.times_seen[sample]),
            )
            for sample in chosen
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return the buffer and the position in it, as arrays and plain integers."""
        state: dict[str, Any] = {
            "buffer": self.buffer.copy(),
            "buffer_cycle": self.cycle,
            "buffer_candidates": self._num_candidates,
            "buffer_first_pass": self._first_pass,
            "sleep_words": self.words,
            "sleep_rows": self.rows,
            "sleep_batches": self.batches,
            "buffer_passes": self._reader.passes,
            "buffer_cursor": self._reader.cursor,
        }
        return state if self._limits is None else state | {"buffer_limits": self._limits.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the position that `state_dict` returned, in a phase made of the same arguments."""
        self.words, self.batches = int(state["sleep_words"]), int(state["sleep_batches"])
        self.rows = int(state.get("sleep_rows", 0))  # an earlier version, which needed none, kept none
        self._reader.seek(int(state["buffer_passes"]), int(state["buffer_cursor"]))


def _begin_pass(
    make_pass: MakePass,
    buffer: NDArray[np.int32],
    limits: NDArray[np.int32] | None,
    first_pass: int,
    cycle: int,
    seed: int,
    passes: int,
) -> ReplayPass | None:
    """Return the next pass over the buffer, a function of (seed, cycle, passes before it); None if none is left."""
    replayed = _of_pass(buffer, limits, passes - first_pass)
    if not len(replayed):
        return None
    order = generator(seed, Purpose.REPLAY_ORDER, cycle, passes).permutation(replayed)
    return make_pass(order, generator(seed, Purpose.CONTEXT, cycle, passes))


def _of_pass(buffer: NDArray[np.int32], limits: NDArray[np.int32] | None, passes: int) -> NDArray[np.int32]:
    """Return the samples of the buffer that are in a further pass, after `passes` over it."""
    return buffer if limits is None else buffer[limits > passes]
