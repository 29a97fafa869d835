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

    The budget decides when the phase ends (`SleepPlan.sleep_continues`); this class only hands out rows.

    Attributes:
        buffer: (n,) int32, the samples that are replayed, each once.
        words: words handed out so far.
        batches: batches handed out so far.
    """

    def __init__(self, make_pass: MakePass, buffer: NDArray[np.int32], *, cycle: int, seed: int) -> None:
        """Begin the phase.

        Args:
            make_pass: turns an order of the buffer into rows (an entry of `CONTEXTS`, given the corpus).
            buffer: (n,) distinct samples, n >= 1.
            cycle: the cycle that the phase belongs to, from 0.
            seed: the run's seed, >= 0.
        """
        self.buffer = buffer
        self.words = 0
        self.batches = 0
        self._cycle = cycle
        self._rows = RowReader(partial(_begin_pass, make_pass, buffer, cycle, seed))

    def draw(self, num_rows: int) -> ReplayRows:
        """Return the next `num_rows` rows, >= 1; where a pass over the buffer ends, they continue with the next."""
        rows = self._rows.draw(num_rows)
        assert rows is not None, "there is always a further pass"
        return rows

    def record(
        self, samples: Samples, history: SampleHistory, *, num_candidates: int, signal: NDArray[np.floating]
    ) -> SleepRecord:
        """Return what this phase replayed, once it has ended.

        Args:
            samples: the corpus, N rows.
            history: of its N samples, at the end of the phase.
            num_candidates: samples that the buffer was chosen from, >= n.
            signal: (n,) what the priorities of the buffer's samples were made of.
        """
        seen = np.bincount(np.minimum(history.times_seen, EXPOSURE_BINS - 1), minlength=EXPOSURE_BINS)
        return SleepRecord(
            cycle=self._cycle,
            buffer_size=len(self.buffer),
            candidates=num_candidates,
            words=self.words,
            batches=self.batches,
            mean_score=float(history.scores[self.buffer].mean(dtype=np.float64)),
            mean_age=float(np.mean(self._cycle - history.last_read[self.buffer])),
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
                age=int(self._cycle - history.last_read[sample]),
                times_seen=int(history.times_seen[sample]),
            )
            for sample in chosen
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the buffer as plain integers; the buffer itself is not in it."""
        return {
            "sleep_words": self.words,
            "sleep_batches": self.batches,
            "buffer_passes": self._rows.passes,
            "buffer_cursor": self._rows.cursor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a phase made of the same arguments."""
        self.words, self.batches = int(state["sleep_words"]), int(state["sleep_batches"])
        self._rows.seek(int(state["buffer_passes"]), int(state["buffer_cursor"]))


def _begin_pass(make_pass: MakePass, buffer: NDArray[np.int32], cycle: int, seed: int, passes: int) -> ReplayPass:
    """Return the next pass over the buffer, a function of (seed, cycle, passes before it)."""
    order = generator(seed, Purpose.REPLAY_ORDER, cycle, passes).permutation(buffer)
    return make_pass(order, generator(seed, Purpose.CONTEXT, cycle, passes))
