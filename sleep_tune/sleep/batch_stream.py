"""What training needs of the batches of a run, however they are ordered."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import ArrayLike

from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.sleep_record import SleepRecord

__all__ = ["BatchStream"]


class BatchStream(Protocol):
    """Batches of a run, their place in it, and what a checkpoint keeps.

    Training calls `next_batch` until it returns None; when `needs_scores`, it calls `observe` first.
    """

    @property
    def plan(self) -> SleepPlan:
        """The budget and its rules."""
        ...

    @property
    def history(self) -> SampleHistory:
        """Scores, last readings and exposures of the N samples."""
        ...

    @property
    def words_seen(self) -> int:
        """Words in the batches handed out so far."""
        ...

    @property
    def phase(self) -> str:
        """Phase of the last batch, 'wake' or 'sleep'; 'wake' before the first."""
        ...

    @property
    def cycle(self) -> int:
        """Cycle of the last batch, from 0 over the whole run."""
        ...

    @property
    def pass_index(self) -> int:
        """Pass of the last batch, from 0."""
        ...

    @property
    def fold(self) -> int:
        """Fold of the last batch in its pass, in [0, `folds`)."""
        ...

    @property
    def folds(self) -> int:
        """Folds in a pass."""
        ...

    @property
    def read_ratio(self) -> float:
        """Share of the samples that have been read awake at least once, in [0, 1]."""
        ...

    @property
    def needs_scores(self) -> bool:
        """Whether losses must be passed to `observe` before the next batch."""
        ...

    def next_batch(self) -> Batch | None:
        """Return the next batch; None, also in all later calls, when the run is over."""
        ...

    def needs_losses(self, phase: str) -> bool:
        """Return whether losses of batches of a phase, 'wake' or 'sleep', must be passed to `observe`."""
        ...

    def observe(
        self,
        sample_ids: ArrayLike,
        loss_sums: ArrayLike,
        num_predicted: ArrayLike,
        replays: ArrayLike | None = None,
    ) -> None:
        """Take losses of samples that were read awake or replayed; each argument is (M,)."""
        ...

    def take_sleep_records(self) -> list[SleepRecord]:
        """Return the records of what was replayed and has ended since the last call."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and plain numbers that `np.savez` takes."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a stream made with the same arguments."""
        ...
