"""Learning rates of updates: the schedule's, times that of the phases that an update trains; and their record."""

from dataclasses import astuple, dataclass
from typing import Any

from sleep_tune.records import is_count, is_number
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.stream import PHASES

__all__ = ["LearningRates", "PhaseRate", "is_phase_rate"]


@dataclass(slots=True)
class PhaseRate:
    """Learning rate of one phase: of the reading of a fold, or of a sleep."""

    cycle: int
    """Cycles before this one, from 0."""
    phase: int
    """Index in PHASES."""
    words_seen: int
    """Words of the run, awake and asleep, up to the phase's last batch so far."""
    batches: int
    """Batches of the phase so far, >= 1."""
    total: float
    """Sum over them of the learning rate of their update."""

    @property
    def mean(self) -> float:
        """Mean learning rate of the phase's batches."""
        return self.total / self.batches


def is_phase_rate(value: Any) -> bool:
    """Return whether a value read from a checkpoint can be the state of `LearningRates`."""
    if not (isinstance(value, list) and len(value) == 5 and all(map(is_count, value[:4]))):
        return False
    return value[1] < len(PHASES) and value[3] > 0 and is_number(value[4])


class LearningRates:
    """Learning rates of a run's updates, and their means over each phase.

    An update may accumulate batches of both phases. Its rate is the schedule's, times the mean over its batches of the
    multiplier of their phase: 1 awake, `sleep.learning_rate` asleep.
    """

    def __init__(self, asleep: float = 1.0) -> None:
        """Begin a run.

        Args:
            asleep: multiplier of the schedule's rate asleep, >= 0.
        """
        self._multipliers = dict(zip(PHASES, (1.0, asleep), strict=True))
        self._update: list[tuple[Batch, int]] = []
        self._ended: list[PhaseRate] = []
        self._current: PhaseRate | None = None

    def add(self, batch: Batch, words_seen: int) -> None:
        """Add a batch to the current update.

        Args:
            batch: any of the stream, in its order.
            words_seen: words of the run up to it, itself included.
        """
        self._update.append((batch, words_seen))

    def end_update(self, scheduled: float) -> float:
        """Return the rate of the update that the batches added since the last call belong to, and record it.

        Args:
            scheduled: the rate of the schedule, >= 0.
        """
        update, self._update = self._update, []
        rate = scheduled * (sum(self._multipliers[batch.phase] for batch, _ in update) / len(update))
        for batch, words_seen in update:
            place = (batch.cycle, PHASES.index(batch.phase))
            current = self._current
            if current is None or (current.cycle, current.phase) != place:
                if current is not None:
                    self._ended.append(current)
                current = self._current = PhaseRate(*place, words_seen=words_seen, batches=0, total=0.0)
            current.words_seen = words_seen
            current.batches += 1
            current.total += rate
        return rate

    def take_ended(self) -> list[PhaseRate]:
        """Return the phases that have ended since the last call: a batch of a later one was trained."""
        ended, self._ended = self._ended, []
        return ended

    def take_all(self) -> list[PhaseRate]:
        """Return the phases that have ended since the last call, and the current one, which ends with the run."""
        current, self._current = self._current, None
        return self.take_ended() + ([] if current is None else [current])

    def state_dict(self) -> list[float] | None:
        """Return what `load_state_dict` needs, between two updates and after `take_ended`."""
        return None if self._current is None else list(astuple(self._current))

    def load_state_dict(self, state: list[float] | None) -> None:
        """Restore what `state_dict` returned."""
        if state is not None:
            cycle, phase, words_seen, batches, total = state
            self._current = PhaseRate(int(cycle), int(phase), int(words_seen), int(batches), float(total))
