"""What a search remembers: the log, the state folded from it, and the studies that learn from it.

`record` is the only way in which anything changes while a search runs: the event is on the disk before it is applied.
Decides nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sleep_tune.records import Event
from sleep_tune.search.log import EventLog, Log
from sleep_tune.search.space import Space
from sleep_tune.search.state import SearchState, TrialState
from sleep_tune.search.studies import Studies

__all__ = ["Memory"]


class Memory:
    """Read back from trials.jsonl, event by event, by the same `_apply` that `record` calls.

    Args:
        folder: of the experiment; must exist.
        space: the study.
        clock: seconds since 1970.
        log: where events go instead of the folder, on which then nothing is written.

    Raises:
        RunFolderError: the log is in use, or cannot be read.
    """

    def __init__(self, folder: Path, space: Space, clock: Callable[[], float], log: Log | None = None) -> None:
        self.state = SearchState(mode=space.objective.mode)
        self.studies = Studies(space, self.state)
        self._clock = clock
        self._log: Log = EventLog(folder / "trials.jsonl") if log is None else log
        for event in self._log.events:
            self._apply(event)
        if log is None and not self.state.finished:
            self.studies.open_journal(folder / "optuna.journal", space.name, space.objective.mode)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def record(self, event: str, trial: TrialState | None = None, *, attempt: int | None = None, **data: Any) -> None:
        """Write an event of a trial, or of the search itself, and take it in.

        Args:
            event: its name, one of those in `log.py`.
            trial: whose it is.
            attempt: the attempt that begins with it; else the one that is running.
            data: what the event has of its own.
        """
        if trial is None:
            self._write(Event(event=event, time=self.now(), data=data))
            return
        self._write(
            Event(
                event=event,
                time=self.now(),
                trial=trial.id,
                attempt=attempt or trial.attempt or None,
                role=trial.role,
                arm=trial.arm,
                seed=trial.seed,
                data=data,
            )
        )

    def record_asked(self, trial: str, *, role: str, arm: str, seed: int, **data: Any) -> None:
        """Write that a new trial has been asked for, and take it in: it is waiting."""
        self._write(Event(event="asked", time=self.now(), trial=trial, role=role, arm=arm, seed=seed, data=data))

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def _write(self, event: Event) -> None:
        self._log.append(event)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        self.state.apply(event)
        self.studies.apply(event)
