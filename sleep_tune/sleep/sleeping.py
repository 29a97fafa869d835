"""One sleep: a buffer and how far it has been replayed. Knows no budget and not when to end."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.context import MakePass, ReplayPass, Rows, join
from sleep_tune.sleep.memory import Memory
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.record import EXAMPLES, EXPOSURE_BINS, Example, SleepRecord
from sleep_tune.sleep.samples import Samples

__all__ = ["Sleeping"]


class Sleeping:
    """An endless stream of rows: pass after pass over the buffer, each in a fresh order, made when it is reached.

    Attributes:
        buffer: (n,) the samples replayed.
        words: words handed out so far.
        batches: batches handed out so far.
    """

    def __init__(self, make_pass: MakePass, buffer: NDArray[np.int32], *, cycle: int, seed: int) -> None:
        self.buffer = buffer
        self.words = 0
        self.batches = 0
        self._make_pass = make_pass
        self._cycle = cycle
        self._seed = seed
        self._passes = 0  # passes over the buffer before the one being read
        self._cursor = 0
        self._pass: ReplayPass | None = None

    def draw(self, num_rows: int) -> Rows:
        """The next rows, exactly so many; they go on into further passes over the buffer."""
        parts: list[Rows] = []
        missing = num_rows
        while missing:
            current = self._pass or self._begin_pass()
            rows, self._cursor = current.take(self._cursor, missing)
            missing -= len(rows.input_ids)
            parts.append(rows)
            if self._cursor >= current.end:
                self._pass, self._passes, self._cursor = None, self._passes + 1, 0
        return parts[0] if len(parts) == 1 else join(parts)

    def record(self, samples: Samples, memory: Memory, *, num_candidates: int) -> SleepRecord:
        """What this sleep replayed, when it has ended."""
        shares = np.bincount(samples.sources[self.buffer], minlength=len(samples.source_names)) / len(self.buffer)
        seen = np.bincount(np.minimum(memory.times_seen, EXPOSURE_BINS - 1), minlength=EXPOSURE_BINS)
        return SleepRecord(
            cycle=self._cycle,
            buffer_size=len(self.buffer),
            candidates=num_candidates,
            words=self.words,
            batches=self.batches,
            mean_score=float(memory.scores[self.buffer].mean(dtype=np.float64)),
            mean_age=float(np.mean(self._cycle - memory.last_read[self.buffer])),
            sources=dict(zip(samples.source_names, shares.tolist(), strict=True)),
            exposures=seen.tolist(),
            examples=self._examples(memory),
        )

    def _examples(self, memory: Memory) -> list[Example]:
        """Samples of the buffer at even distances by score; found without sorting it."""
        scores = memory.scores[self.buffer]
        last = len(scores) - 1
        ranks = np.unique(np.linspace(last, 0, min(EXAMPLES, len(scores))).round().astype(np.intp))
        chosen = self.buffer[np.argpartition(scores, ranks)[ranks[::-1]]]
        return [
            Example(
                sample=int(sample),
                score=float(memory.scores[sample]),
                age=int(self._cycle - memory.last_read[sample]),
                times_seen=int(memory.times_seen[sample]),
            )
            for sample in chosen
        ]

    def state_dict(self) -> dict[str, Any]:
        """Numbers from which `load_state_dict` goes on; the buffer is given anew."""
        return {
            "sleep_words": self.words,
            "sleep_batches": self.batches,
            "buffer_passes": self._passes,
            "buffer_cursor": self._cursor,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.words, self.batches = int(state["sleep_words"]), int(state["sleep_batches"])
        self._passes, self._cursor = int(state["buffer_passes"]), int(state["buffer_cursor"])
        self._pass = None

    def _begin_pass(self) -> ReplayPass:
        """The pass over the buffer that is next: a function of (seed, cycle, passes before it)."""
        place = (self._cycle, self._passes)
        order = generator(self._seed, Purpose.REPLAY_ORDER, *place).permutation(self.buffer)
        self._pass = self._make_pass(order, generator(self._seed, Purpose.CONTEXT, *place))
        return self._pass
