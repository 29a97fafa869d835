"""The sleep stream: a run as batches, awake and asleep. It alone counts words and tracks the phase.

The caller takes batches (`next_batch`) and returns the losses of wake batches (`observe`); the stream alternates folds
and sleep phases until the budget is spent.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.buffer import Replay
from sleep_tune.sleep.context import CONTEXTS, gather_rows
from sleep_tune.sleep.replayer import Replayer
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleep_phase import SleepPhase
from sleep_tune.sleep.sleep_record import SleepRecord
from sleep_tune.sleep.wake_pass import WakePass

__all__ = ["PHASES", "Batch", "Replay", "SleepRecord", "SleepStream"]

PHASES = ("wake", "sleep")

_NUMBERS = (
    "num_batches",
    "words_seen",
    "words_read_awake",
    "cycle",
    "_asleep",
    "_next_cycle",
    "_next_in_pass",
    "_done",
)
"""Attributes that a checkpoint keeps under these names, all of them integers."""


class SleepStream:
    """Batches of a run: each fold is read once awake, then a buffer is replayed asleep, until the budget is spent.

    `SleepPlan.sleep_continues` decides when a sleep phase ends. The run ends, in either phase, before the batch that
    would exceed the budget. The batches are a function of the arguments and of the losses passed to `observe`.

    Usage:
        while (batch := stream.next_batch()) is not None:
            ...  # train on the batch
            if batch.phase == "wake":
                stream.observe(sample_ids, losses, counts)

    Attributes:
        num_batches: batches handed out so far.
        words_seen: words handed out so far, awake and asleep.
        words_read_awake: words handed out so far awake.
        cycle: cycle of the last batch, counted from 0 over the whole run.
        plan: the budget and its rules.
        history: scores, last readings and exposures of the N samples.
    """

    def __init__(self, samples: Samples, plan: SleepPlan, replay: Replay, *, context: str, seed: int) -> None:
        """Begin a run.

        Args:
            samples: the corpus; it has the N rows and W words of the plan.
            plan: made by `plan_budget`.
            replay: how buffers are chosen.
            context: a name in `CONTEXTS`.
            seed: the run's seed, >= 0.

        Raises:
            ConfigError: an unknown context.
            ValueError: the plan is for another corpus.
        """
        if context not in CONTEXTS:
            raise ConfigError(unknown("sleep.context", context, CONTEXTS))
        if (plan.num_samples, plan.corpus_words) != (len(samples), samples.num_words):
            raise ValueError(
                f"the plan is for {plan.num_samples} samples of {plan.corpus_words} words; "
                f"this corpus has {len(samples)} of {samples.num_words}"
            )
        self.plan = plan
        self.history = SampleHistory(len(samples), replay.refresh if plan.sleeps else 0.0)
        self.num_batches = 0
        self.words_seen = 0
        self.words_read_awake = 0
        self.cycle = 0
        self._asleep = 0  # phase of the last batch, as an index in PHASES
        self._samples = samples
        self._replay = replay
        self._replayer = Replayer(samples, plan, replay, self.history, context=context, seed=seed)
        self._seed = seed
        self._next_cycle = 0  # cycle of the next batch; `cycle` is that of the last one
        self._next_in_pass = 0  # pieces of the pass handed out so far
        self._wake_pass = self._begin_wake_pass()
        self._done = 0

    _piece: int | None = None
    """Rows that the pass hands out at least, as `WakePass` takes it; None: a batch."""

    @property
    def phase(self) -> str:
        """Phase of the last batch, 'wake' or 'sleep'; 'wake' before the first."""
        return PHASES[self._asleep]

    @property
    def folds(self) -> int:
        """Folds in a pass, K."""
        return self.plan.folds

    @property
    def pass_index(self) -> int:
        """Pass of the last batch, from 0."""
        return self.cycle // self.plan.folds

    @property
    def fold(self) -> int:
        """Fold of the last batch in its pass, in [0, K)."""
        return self.cycle % self.plan.folds

    @property
    def read_ratio(self) -> float:
        """Share of the samples that have been read awake at least once, in [0, 1]."""
        if self._next_cycle >= self.plan.folds:
            return 1.0
        return min(self._next_in_pass * (self._piece or self.plan.batch_size) / self.plan.num_samples, 1.0)

    @property
    def needs_scores(self) -> bool:
        """Whether `observe` must be called before `next_batch`: samples of the fold just read have no loss yet.

        Always False in a run without sleep, and when the budget is spent. It turns False as soon as each sample has a
        loss; more losses of the same samples are accepted until `next_batch` is called.
        """
        reading = self._is_reading and self.plan.sleeps and self.words_seen < self.plan.budget_words
        return (
            reading
            and not self._done
            and self._fold_is_read()
            and self.history.count_missing(self._samples_awaiting()) > 0
        )

    def next_batch(self) -> Batch | None:
        """Return the next batch; None, also in all later calls, when the budget is spent.

        Raises:
            ScoresMissing: samples of the fold just read have no loss; pass them to `observe` and call again.
            Diverged: a score of the fold just read is NaN or infinite.
        """
        if self._done:
            return None
        if self.words_seen < self.plan.budget_words:
            self._advance()
            batch = self._draw()
            if batch is not None:
                self.num_batches += 1
                self.words_seen += batch.words
                self.cycle, self._asleep = batch.cycle, PHASES.index(batch.phase)
                return batch
        self._replayer.end()
        self._done = 1
        return None

    def needs_losses(self, phase: str) -> bool:
        """Return whether losses of batches of a phase, 'wake' or 'sleep', must be passed to `observe`."""
        return self.plan.sleeps and (phase == "wake" or self._replay.refresh > 0)

    def observe(
        self,
        sample_ids: ArrayLike,
        loss_sums: ArrayLike,
        num_predicted: ArrayLike,
        replays: ArrayLike | None = None,
    ) -> None:
        """Add losses of samples of the fold being read, and of samples replayed before it, in any number of pieces.

        All of them must be added before `next_batch` is called for the batch after the fold, which turns them into
        scores: the stream cannot know how many positions of a sample are predicted. Those of replays must come in the
        order of the batches, those of the fold in any order.

        A sample's score is its summed loss over its number of predicted positions, as the optimizer saw them: there is
        no second forward pass. In a run without sleep losses are ignored, and those of replays unless they refresh the
        scores.

        Args:
            sample_ids: (M,) integers in [0, N), repeats allowed.
            loss_sums: (M,) summed losses in nats.
            num_predicted: (M,) number of predicted positions that each sum is over.
            replays: (M,) `Batch.replays` of each loss; None: all are of samples read awake.

        Raises:
            ValueError: the shapes differ, or a sample read awake is not in the fold being read, or has its score
                already.
        """
        if self.plan.sleeps:
            self.history.add_losses(sample_ids, loss_sums, num_predicted, replays)

    def take_sleep_records(self) -> list[SleepRecord]:
        """Return the records of the sleep phases that have ended since the last call."""
        return self._replayer.take_records()

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and plain numbers that `np.savez` takes.

        Orders and rows are not in it, since they are functions of the seed.
        """
        state: dict[str, Any] = {name: int(getattr(self, name)) for name in _NUMBERS}
        return state | self._replayer.state_dict() | self.history.state_dict(self._samples_awaiting())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a stream made with the same arguments.

        Raises:
            ValueError: the state is of another number of samples.
        """
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        self._wake_pass = self._begin_wake_pass()
        self._replayer.load_state_dict(state, self._next_cycle)
        self.history.load_state_dict(state, self._samples_awaiting())

    @property
    def _is_reading(self) -> bool:
        """Whether the next batch is read awake, or ends a fold that was."""
        return self._replayer.phase is None

    def _advance(self) -> None:
        """Move to the cycle and phase of the next batch: score a fold that was read, begin or end a sleep phase."""
        phase = self._replayer.phase
        if phase is None:
            if not self._fold_is_read():
                return
            if self.plan.sleeps:
                candidates = self._score_fold()
                if self._sleep_continues():
                    self._replayer.begin(candidates, self._next_cycle)
        elif phase.is_exhausted and self._sleep_continues():
            self._replayer.replace(phase)
        if self._replayer.phase is not None and self._sleep_continues():
            return
        self._replayer.end()
        self._end_cycle()

    def _score_fold(self) -> NDArray[np.intp]:
        """Turn the losses of a fold that was read into scores; return the candidates of its cycle, (C,)."""
        self.history.update_scores(self._samples_awaiting(), self._next_cycle)
        return self._replayer.end_fold(self._next_cycle)

    def _end_cycle(self) -> None:
        """Move to the next fold, and to the next pass after the last fold."""
        self._next_cycle += 1
        if self._next_cycle % self.plan.folds == 0:
            self._next_in_pass = 0
            self._wake_pass = self._begin_wake_pass()

    def _draw(self) -> Batch | None:
        """Return the next batch, or None if it exceeds the budget."""
        phase = self._replayer.phase
        return self._draw_awake() if phase is None else self._draw_asleep(phase)

    def _draw_awake(self) -> Batch | None:
        """Return the next batch of the wake pass, or None if it exceeds the budget, or the limit of exposures."""
        words = int(self._wake_pass.words[self._next_in_pass])
        rows = self._wake_pass.rows(self._next_in_pass, self._next_in_pass + 1)
        if self.words_seen + words > self.plan.budget_words or not self._replayer.may_be_read(rows):
            return None
        input_ids, sample_ids = self._read(rows, words)
        self._next_in_pass += 1
        return self._batch("wake", input_ids, sample_ids, words)

    def _read(self, rows: NDArray[np.int32], words: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Count rows as read awake; return their token ids and samples, (R, T) each."""
        input_ids, sample_ids = gather_rows(self._samples, rows)
        self.history.mark_read(rows, has_text=sample_ids.max(axis=1) >= 0)
        self.words_read_awake += words
        return input_ids, sample_ids

    def _draw_asleep(self, phase: SleepPhase) -> Batch | None:
        """Return the next batch of the sleep phase, or None if it exceeds the budget."""
        rows = phase.draw(self.plan.rows_in_batch(self._replayer.rows_replayed))
        if self.words_seen + rows.words > self.plan.budget_words:
            return None
        self._replayer.add(phase, rows)
        return self._batch("sleep", rows.input_ids, rows.sample_ids, rows.words, rows.replays)

    def _batch(
        self,
        phase: str,
        input_ids: NDArray[np.int32],
        sample_ids: NDArray[np.int32],
        words: int,
        replays: NDArray[np.int32] | None = None,
    ) -> Batch:
        """Return a batch with its place in the run."""
        pass_index, fold = divmod(self._next_cycle, self.plan.folds)
        return Batch(phase, self.num_batches, self._next_cycle, pass_index, fold, input_ids, sample_ids, words, replays)

    def _sleep_continues(self) -> bool:
        """Return whether the sleep phase takes another batch, by the plan's rule and this run's counts."""
        return self.plan.sleep_continues(
            words_seen=self.words_seen,
            words_read_awake=self.words_read_awake,
            rows_replayed=self._replayer.rows_replayed,
            rows_chosen=self._replayer.rows_chosen,
        )

    def _begin_wake_pass(self) -> WakePass:
        """Return the pass of the next wake batch."""
        pass_index = self._next_cycle // self.plan.folds
        return WakePass(self._samples, self.plan, seed=self._seed, pass_index=pass_index, piece=self._piece)

    def _fold_is_read(self) -> bool:
        """Return whether every batch of the fold has been handed out."""
        return self._next_in_pass >= self._wake_pass.bounds[self._next_cycle % self.plan.folds + 1]

    def _samples_awaiting(self) -> NDArray[np.int32]:
        """Return the samples of the fold, (R,), that have been handed out awake and have no new score yet."""
        if not self._is_reading or self._done:
            return self._wake_pass.order[:0]
        return self._wake_pass.rows(self._wake_pass.bounds[self._next_cycle % self.plan.folds], self._next_in_pass)
