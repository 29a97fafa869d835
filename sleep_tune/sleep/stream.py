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
from sleep_tune.sleep.buffer import SCOPES, Replay, buffer_size, choose_buffer
from sleep_tune.sleep.context import CONTEXTS, gather_rows
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.signals import SIGNALS
from sleep_tune.sleep.sleep_phase import SleepPhase
from sleep_tune.sleep.sleep_record import SleepRecord, from_rows, to_rows
from sleep_tune.sleep.wake_pass import WakePass

__all__ = ["PHASES", "Batch", "Replay", "SleepRecord", "SleepStream"]

PHASES = ("wake", "sleep")

_NUMBERS = (
    "num_batches",
    "words_seen",
    "words_read_awake",
    "cycle",
    "_asleep",
    "_rows_replayed",
    "_rows_chosen",
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
        self._seed = seed
        self._make_pass = CONTEXTS[context](samples)
        self._rows_replayed = 0
        self._rows_chosen = 0
        self._next_cycle = 0  # cycle of the next batch; `cycle` is that of the last one
        self._next_in_pass = 0  # wake batches of the pass handed out so far
        self._wake_pass = self._begin_wake_pass()
        self._sleep_phase: SleepPhase | None = None
        self._done = 0
        self._records: list[SleepRecord] = []

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
        return min(self._next_in_pass * self.plan.batch_size / self.plan.num_samples, 1.0)

    @property
    def needs_scores(self) -> bool:
        """Whether `observe` must be called before `next_batch`: samples of the fold just read have no loss yet.

        Always False in a run without sleep, and when the budget is spent. It turns False as soon as each sample has a
        loss; more losses of the same samples are accepted until `next_batch` is called.
        """
        awake = self._sleep_phase is None and self.plan.sleeps and self.words_seen < self.plan.budget_words
        return (
            awake
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
            batch = self._draw_awake() if self._sleep_phase is None else self._draw_asleep(self._sleep_phase)
            if batch is not None:
                self.num_batches += 1
                self.words_seen += batch.words
                self.cycle, self._asleep = batch.cycle, PHASES.index(batch.phase)
                return batch
        self._end_sleep()
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
        records, self._records = self._records, []
        return records

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and plain numbers that `np.savez` takes.

        Orders and rows are not in it, since they are functions of the seed.
        """
        phase = self._sleep_phase
        state: dict[str, Any] = {name: int(getattr(self, name)) for name in _NUMBERS}
        state["records"] = to_rows(self._records)
        state["buffer"] = np.empty(0, np.int32) if phase is None else phase.buffer.copy()
        state |= self.history.state_dict(self._samples_awaiting())
        return state if phase is None else state | phase.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a stream made with the same arguments.

        Raises:
            ValueError: the state is of another number of samples.
        """
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        self._records = from_rows(np.asarray(state["records"]), self._samples.source_names)
        self._wake_pass = self._begin_wake_pass()
        self._sleep_phase = None
        buffer = np.asarray(state["buffer"], np.int32)
        if len(buffer):
            self._sleep_phase = self._sleep_on(buffer)
            self._sleep_phase.load_state_dict(state)
        self.history.load_state_dict(state, self._samples_awaiting())

    def _advance(self) -> None:
        """Move to the cycle and phase of the next batch: score a fold that was read, begin or end a sleep phase."""
        if self._sleep_phase is None:
            if not self._fold_is_read():
                return
            if self.plan.sleeps:
                self.history.update_scores(self._samples_awaiting(), self._next_cycle)
                self._begin_sleep()
        if self._sleep_phase is not None and self._sleep_continues():
            return
        self._end_sleep()
        self._next_cycle += 1
        if self._next_cycle % self.plan.folds == 0:
            self._next_in_pass = 0
            self._wake_pass = self._begin_wake_pass()

    def _begin_sleep(self) -> None:
        """Choose a buffer if sleep is due; skip one in which no word begins: it could never fill a share of words."""
        candidates = self._candidates()
        self._rows_chosen += buffer_size(len(candidates), self._replay.ratio)
        if not self._sleep_continues():
            return
        rng = generator(self._seed, Purpose.BUFFER, self._next_cycle)
        buffer = choose_buffer(
            candidates,
            self.history,
            sources=self._samples.sources,
            cycle=self._next_cycle,
            replay=self._replay,
            rng=rng,
        )
        if self.plan.ratio is None or self._samples.words[buffer].any():
            self._sleep_phase = self._sleep_on(buffer)

    def _end_sleep(self) -> None:
        """Record the current sleep phase, if there is one and it replayed anything."""
        if self._sleep_phase is not None and self._sleep_phase.batches:
            num_candidates = len(self._candidates())
            signal = SIGNALS[self._replay.signal](self.history, self._sleep_phase.buffer)
            self._records.append(
                self._sleep_phase.record(self._samples, self.history, num_candidates=num_candidates, signal=signal)
            )
        self._sleep_phase = None

    def _draw_awake(self) -> Batch | None:
        """Return the next batch of the wake pass, or None if it exceeds the budget."""
        words = self._wake_pass.words[self._next_in_pass]
        if self.words_seen + words > self.plan.budget_words:
            return None
        rows = self._wake_pass.rows(self._next_in_pass, self._next_in_pass + 1)
        input_ids, sample_ids = gather_rows(self._samples, rows)
        self.history.mark_read(rows, has_text=sample_ids.max(axis=1) >= 0)
        self.words_read_awake += words
        self._next_in_pass += 1
        return self._batch("wake", input_ids, sample_ids, words)

    def _draw_asleep(self, sleep_phase: SleepPhase) -> Batch | None:
        """Return the next batch of the sleep phase, or None if it exceeds the budget."""
        num_rows = self.plan.rows_in_batch(self._rows_replayed)
        rows = sleep_phase.draw(num_rows)
        if self.words_seen + rows.words > self.plan.budget_words:
            return None
        self.history.mark_replayed(rows.begun)
        sleep_phase.words += rows.words
        sleep_phase.batches += 1
        self._rows_replayed += num_rows
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

    def _candidates(self) -> NDArray[np.intp]:
        """Return the samples, (C,), that this cycle's sleep phase may replay."""
        return SCOPES[self._replay.scope](self.history.last_read, self._next_cycle)

    def _sleep_continues(self) -> bool:
        """Return whether the sleep phase takes another batch, by the plan's rule and this run's counts."""
        return self.plan.sleep_continues(
            words_seen=self.words_seen,
            words_read_awake=self.words_read_awake,
            rows_replayed=self._rows_replayed,
            rows_chosen=self._rows_chosen,
        )

    def _sleep_on(self, buffer: NDArray[np.int32]) -> SleepPhase:
        """Return a sleep phase on a buffer, at its beginning."""
        return SleepPhase(self._make_pass, buffer, cycle=self._next_cycle, seed=self._seed)

    def _begin_wake_pass(self) -> WakePass:
        """Return the pass of the next wake batch."""
        return WakePass(self._samples, self.plan, seed=self._seed, pass_index=self._next_cycle // self.plan.folds)

    def _fold_is_read(self) -> bool:
        """Return whether every batch of the fold has been handed out."""
        return self._next_in_pass >= self._wake_pass.bounds[self._next_cycle % self.plan.folds + 1]

    def _samples_awaiting(self) -> NDArray[np.int32]:
        """Return the samples of the fold, (R,), that have been handed out awake and have no new score yet."""
        if self._sleep_phase is not None or self._done:
            return self._wake_pass.order[:0]
        return self._wake_pass.rows(self._wake_pass.bounds[self._next_cycle % self.plan.folds], self._next_in_pass)
