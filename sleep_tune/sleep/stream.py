"""The stream of batches, awake and asleep: the ONE place that counts words and knows the phase.

Ask it for batches, bring it the losses of what was read awake, and it plays the run: passes, folds, sleeps, budget.
Knows no model, no masks and no device.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.buffer import SCOPES, Replay, buffer_size, choose_buffer
from sleep_tune.sleep.context import CONTEXTS, gather
from sleep_tune.sleep.memory import Memory
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.reading import Reading
from sleep_tune.sleep.record import SleepRecord, from_rows, to_rows
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleeping import Sleeping

__all__ = ["Batch", "Replay", "SleepRecord", "SleepStream"]

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
"""Attributes that are the stream's whole place in the run, all of them integers."""


class SleepStream:
    """A run as a stream of batches: each fold read once awake, then replay asleep, until the budget is spent.

    A sleep ends by `SleepPlan.sleep_goes_on`; the run ends before the batch that would exceed the budget, in whatever
    phase. A stream is a function of its arguments and of the scores it is brought.

    Attributes:
        num_batches: batches handed out.
        words_seen: words handed out, awake and asleep.
        words_read_awake: words handed out awake.
        cycle: cycles before that of the last batch, over the whole run.
        plan: the budget and its rules.
        memory: scores, last readings and exposures of every sample.
    """

    def __init__(self, samples: Samples, plan: SleepPlan, replay: Replay, *, context: str, seed: int) -> None:
        """Begin a run.

        Args:
            samples: the corpus, N rows of W words, as the plan has them.
            plan: made by `plan_budget`.
            replay: what a sleep replays.
            context: a name in `CONTEXTS`.
            seed: names the random streams.

        Raises:
            ConfigError: there is no such context.
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
        self.memory = Memory(len(samples))
        self.num_batches = 0
        self.words_seen = 0
        self.words_read_awake = 0
        self.cycle = 0
        self._asleep = 0  # the phase of the last batch, as an index in PHASES
        self._samples = samples
        self._replay = replay
        self._seed = seed
        self._make_pass = CONTEXTS[context](samples)
        self._rows_replayed = 0
        self._rows_chosen = 0
        self._next_cycle = 0  # where the next batch comes from; `cycle` is where the last one came from
        self._next_in_pass = 0  # batches of the pass handed out
        self._reading = self._read_pass()
        self._sleeping: Sleeping | None = None
        self._done = 0
        self._records: list[SleepRecord] = []

    @property
    def phase(self) -> str:
        """Phase of the last batch, 'wake' or 'sleep'."""
        return PHASES[self._asleep]

    @property
    def folds(self) -> int:
        """Folds in a pass, K."""
        return self.plan.folds

    @property
    def pass_index(self) -> int:
        """Passes before that of the last batch."""
        return self.cycle // self.plan.folds

    @property
    def fold(self) -> int:
        """Folds before that of the last batch, in its pass."""
        return self.cycle % self.plan.folds

    @property
    def read_ratio(self) -> float:
        """Share of the samples that were read awake at least once, in [0, 1]."""
        if self._next_cycle >= self.plan.folds:
            return 1.0
        return min(self._next_in_pass * self.plan.batch_size / self.plan.num_samples, 1.0)

    @property
    def needs_scores(self) -> bool:
        """Whether `next_batch` waits for `observe`: a fold has been read, and no loss has come for some of its samples.

        Never in a run without sleep, and not when the budget is spent. Once a loss has come for each, more may follow
        for the same samples, until `next_batch` is asked.
        """
        awake = self._sleeping is None and self.plan.sleeps and self.words_seen < self.plan.budget_words
        return awake and not self._done and self._fold_is_read() and self.memory.num_missing(self._read_of_fold()) > 0

    def next_batch(self) -> Batch | None:
        """The next batch, or None for ever when the budget is spent.

        Raises:
            ScoresMissing: the fold just read has samples without a score. Bring them to `observe` and ask again.
            Diverged: a score of the fold just read is NaN or infinite.
        """
        if self._done:
            return None
        if self.words_seen < self.plan.budget_words:
            self._advance()
            batch = self._draw_awake() if self._sleeping is None else self._draw_asleep(self._sleeping)
            if batch is not None:
                self.num_batches += 1
                self.words_seen += batch.words
                self.cycle, self._asleep = batch.cycle, PHASES.index(batch.phase)
                return batch
        self._end_sleep()
        self._done = 1
        return None

    def observe(self, sample_ids: ArrayLike, loss_sums: ArrayLike, num_predicted: ArrayLike) -> None:
        """Bring losses of samples of the fold being read, in any number of pieces and any order.

        All of them must come before `next_batch` is asked for the batch after the fold, which turns them into scores:
        the stream does not know how many positions of a sample are predicted, hence not whether more is to come.

        A sample's score is its summed loss over its number of predicted positions, as the optimizer saw them: there is
        no second forward pass. A run without sleep keeps no scores.

        Args:
            sample_ids: (M,) integers, repeats allowed: a sample may be spread over entries.
            loss_sums: (M,) summed losses in nats.
            num_predicted: (M,) predicted positions that each sum is over.

        Raises:
            ValueError: the shapes differ, or a sample is not of the fold being read, or not any more.
        """
        if self.plan.sleeps:
            self.memory.observe(sample_ids, loss_sums, num_predicted)

    def finished_sleeps(self) -> list[SleepRecord]:
        """What each sleep replayed that has ended since this was last asked."""
        records, self._records = self._records, []
        return records

    def state_dict(self) -> dict[str, Any]:
        """Everything that a fresh stream with the same arguments needs to go on: arrays and plain numbers.

        Orders and rows are not in it, since they are functions of the seed. Safe to pass to `np.savez`.
        """
        sleeping = self._sleeping
        state: dict[str, Any] = {name: int(getattr(self, name)) for name in _NUMBERS}
        state["records"] = to_rows(self._records)
        state["buffer"] = np.empty(0, np.int32) if sleeping is None else sleeping.buffer.copy()
        state |= self.memory.state_dict(self._read_of_fold())
        return state if sleeping is None else state | sleeping.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called, on a stream made with the same arguments.

        Raises:
            ValueError: the state is of another corpus.
        """
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        self._records = from_rows(np.asarray(state["records"]), self._samples.source_names)
        self._reading = self._read_pass()
        self._sleeping = None
        buffer = np.asarray(state["buffer"], np.int32)
        if len(buffer):
            self._sleeping = self._sleep_on(buffer)
            self._sleeping.load_state_dict(state)
        self.memory.load_state_dict(state, self._read_of_fold())

    def _advance(self) -> None:
        """Move to where the next batch comes from: settle a fold that was read, begin or end a sleep."""
        if self._sleeping is None:
            if not self._fold_is_read():
                return
            if self.plan.sleeps:
                self.memory.settle(self._read_of_fold(), self._next_cycle)
                self._begin_sleep()
        if self._sleeping is not None and self._sleep_goes_on():
            return
        self._end_sleep()
        self._next_cycle += 1
        if self._next_cycle % self.plan.folds == 0:
            self._next_in_pass = 0
            self._reading = self._read_pass()

    def _begin_sleep(self) -> None:
        """Choose a buffer if a sleep is due; one in which no word begins could not fill a sleep measured in words."""
        candidates = self._candidates()
        self._rows_chosen += buffer_size(len(candidates), self._replay.ratio)
        if not self._sleep_goes_on():
            return
        rng = generator(self._seed, Purpose.BUFFER, self._next_cycle)
        buffer = choose_buffer(candidates, self.memory, cycle=self._next_cycle, replay=self._replay, rng=rng)
        if self.plan.ratio is None or self._samples.words[buffer].any():
            self._sleeping = self._sleep_on(buffer)

    def _end_sleep(self) -> None:
        """Put down what the sleep replayed, if one is going on."""
        if self._sleeping is not None and self._sleeping.batches:
            num_candidates = len(self._candidates())
            self._records.append(self._sleeping.record(self._samples, self.memory, num_candidates=num_candidates))
        self._sleeping = None

    def _draw_awake(self) -> Batch | None:
        """The pass's next batch, or None if the budget does not hold it."""
        words = self._reading.words[self._next_in_pass]
        if self.words_seen + words > self.plan.budget_words:
            return None
        rows = self._reading.rows(self._next_in_pass, self._next_in_pass + 1)
        input_ids, sample_ids = gather(self._samples, rows)
        self.memory.read(rows, has_text=sample_ids.max(axis=1) >= 0)
        self.words_read_awake += words
        self._next_in_pass += 1
        return self._batch("wake", input_ids, sample_ids, words)

    def _draw_asleep(self, sleeping: Sleeping) -> Batch | None:
        """The sleep's next batch, or None if the budget does not hold it."""
        num_rows = self.plan.rows_asleep(self._rows_replayed)
        rows = sleeping.draw(num_rows)
        if self.words_seen + rows.words > self.plan.budget_words:
            return None
        self.memory.replay(rows.begun)
        sleeping.words += rows.words
        sleeping.batches += 1
        self._rows_replayed += num_rows
        return self._batch("sleep", rows.input_ids, rows.sample_ids, rows.words)

    def _batch(self, phase: str, input_ids: NDArray[np.int32], sample_ids: NDArray[np.int32], words: int) -> Batch:
        """A batch from the current place."""
        pass_index, fold = divmod(self._next_cycle, self.plan.folds)
        return Batch(phase, self.num_batches, self._next_cycle, pass_index, fold, input_ids, sample_ids, words)

    def _candidates(self) -> NDArray[np.intp]:
        """Samples that this cycle's sleep may replay."""
        return SCOPES[self._replay.scope](self.memory.last_read, self._next_cycle)

    def _sleep_goes_on(self) -> bool:
        """The plan's rule, with this run's counts."""
        return self.plan.sleep_goes_on(
            words_seen=self.words_seen,
            words_read_awake=self.words_read_awake,
            rows_replayed=self._rows_replayed,
            rows_chosen=self._rows_chosen,
        )

    def _sleep_on(self, buffer: NDArray[np.int32]) -> Sleeping:
        """A sleep on a buffer, from its beginning."""
        return Sleeping(self._make_pass, buffer, cycle=self._next_cycle, seed=self._seed)

    def _read_pass(self) -> Reading:
        """The pass that the next batch read awake belongs to."""
        return Reading(self._samples, self.plan, seed=self._seed, pass_index=self._next_cycle // self.plan.folds)

    def _fold_is_read(self) -> bool:
        """Whether every batch of the fold has been handed out."""
        return self._next_in_pass >= self._reading.bounds[self._next_cycle % self.plan.folds + 1]

    def _read_of_fold(self) -> NDArray[np.int32]:
        """Samples of the fold that were handed out awake and are not settled yet."""
        if self._sleeping is not None or self._done:
            return self._reading.order[:0]
        return self._reading.rows(self._reading.bounds[self._next_cycle % self.plan.folds], self._next_in_pass)
