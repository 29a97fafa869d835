"""The matched control: the exposures of another run in one uniformly random order, without sleep phases."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.context import CONTEXTS, ReplayPass
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.row_reader import RowReader
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleep_record import SleepRecord

__all__ = ["MatchedStream"]

_NUMBERS = ("num_batches", "words_seen", "_rows_seen", "_pass_index", "_done")
"""Attributes that a checkpoint keeps under these names, all of them integers."""


class MatchedStream:
    """Batches of a run that sees sample i exactly c_i times, in one uniformly random order; all of them are awake.

    The order is cut into parts of N exposures, and each part into rows by the run's context. A part counts as a pass
    of one fold. No losses are needed. The run ends with the last exposure, or before the batch that would exceed the
    budget: with context keep, the words are those of the other run.

    Attributes:
        plan: the budget; a plan without sleep, of one fold.
        history: exposures of the N samples so far; there are no scores.
        num_batches: batches handed out so far.
        words_seen: words in them.
    """

    def __init__(
        self, samples: Samples, plan: SleepPlan, exposures: NDArray[np.integer], *, context: str, seed: int
    ) -> None:
        """Begin a run.

        Args:
            samples: the corpus; it has the N rows and W words of the plan.
            plan: made by `plan_budget` without sleep.
            exposures: (N,) how often each sample is seen, >= 0.
            context: a name in `CONTEXTS`.
            seed: the run's seed, >= 0.

        Raises:
            ValueError: the exposures are of another number of samples.
        """
        if len(exposures) != len(samples):
            raise ValueError(f"the exposures are of {len(exposures)} samples; this corpus has {len(samples)}")
        self.plan = plan
        self.history = SampleHistory(len(samples))
        self.num_batches = 0
        self.words_seen = 0
        self._make_pass = CONTEXTS[context](samples)
        self._seed = seed
        self._order = np.repeat(np.arange(len(samples), dtype=np.int32), exposures)
        generator(seed, Purpose.MATCHED).shuffle(self._order)
        self._rows_seen = 0
        self._rows = RowReader(self._begin_part)
        self._pass_index = 0  # part of the last batch
        self._done = 0

    @property
    def phase(self) -> str:
        """Phase of every batch: 'wake'."""
        return "wake"

    @property
    def cycle(self) -> int:
        """Part of the last batch, from 0."""
        return self._pass_index

    @property
    def pass_index(self) -> int:
        """Part of the last batch, from 0."""
        return self._pass_index

    @property
    def fold(self) -> int:
        """Fold of the last batch: 0, the only one of its part."""
        return 0

    @property
    def folds(self) -> int:
        """Folds in a part: 1."""
        return 1

    @property
    def read_ratio(self) -> float:
        """Share of the samples that have been seen at least once, in [0, 1]."""
        return int(np.count_nonzero(self.history.times_seen)) / len(self.history.times_seen)

    @property
    def needs_scores(self) -> bool:
        """False: nothing is chosen by loss."""
        return False

    def next_batch(self) -> Batch | None:
        """Return the next batch; None, also in all later calls, when the exposures or the budget are used up."""
        part = self._rows.passes
        rows = None if self._done else self._rows.draw(self.plan.rows_in_batch(self._rows_seen))
        if rows is None or self.words_seen + rows.words > self.plan.budget_words:
            self._done = 1
            return None
        batch = Batch(
            phase="wake",
            index=self.num_batches,
            cycle=part,
            pass_index=part,
            fold=0,
            input_ids=rows.input_ids,
            sample_ids=rows.sample_ids,
            words=rows.words,
        )
        self.history.mark_replayed(rows.begun)
        self._pass_index = part
        self._rows_seen += len(rows.input_ids)
        self.num_batches += 1
        self.words_seen += rows.words
        return batch

    def needs_losses(self, phase: str) -> bool:
        """Return False: nothing is chosen by loss."""
        return False

    def observe(
        self,
        sample_ids: ArrayLike,
        loss_sums: ArrayLike,
        num_predicted: ArrayLike,
        replays: ArrayLike | None = None,
    ) -> None:
        """Ignore losses."""

    def take_sleep_records(self) -> list[SleepRecord]:
        """Return an empty list: there is no sleep."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs; the order is a function of the exposures and the seed."""
        state: dict[str, Any] = {name: int(getattr(self, name)) for name in _NUMBERS}
        return state | {
            "part": self._rows.passes,
            "part_cursor": self._rows.cursor,
            "times_seen": self.history.times_seen.copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a stream made with the same arguments.

        Raises:
            ValueError: the state is of another number of samples.
        """
        if np.shape(state["times_seen"]) != self.history.times_seen.shape:
            raise ValueError(
                f"the state is of {len(state['times_seen'])} samples; this run has {len(self.history.times_seen)}"
            )
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        self._rows.seek(int(state["part"]), int(state["part_cursor"]))
        self.history.times_seen[:] = state["times_seen"]

    def _begin_part(self, part: int) -> ReplayPass | None:
        """Return the rows of a part, a function of the exposures, the seed and the parts before it; None after all."""
        size = self.plan.num_samples
        order = self._order[part * size : (part + 1) * size]
        if not len(order):
            return None
        return self._make_pass(order, generator(self._seed, Purpose.CONTEXT, part, 0))
