"""History of a search: its event log, and the state and the studies that follow from it.

`SearchHistory.record` is the only way to change a running search: an event is on the disk before it takes effect.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.event_log import LOG, EventLog, Log
from sleep_tune.experiment.search_state import SearchState, TrialState
from sleep_tune.records import Event
from sleep_tune.search.decide.current_space import CurrentSpace
from sleep_tune.search.decide.studies import Studies
from sleep_tune.search.space.search_space import Space

__all__ = ["FoldedLog", "SearchHistory", "steady_clock"]


class FoldedLog:
    """State and studies of a search after the events so far, with its trials placed in the current space.

    Args:
        space: the current space; trials may have been asked for under another.
        base: the configuration that `space.base` composes to.
        events: of the search's log, in order, from the first.
    """

    def __init__(self, space: Space, base: RunConfig, events: Iterable[Event] = ()) -> None:
        self.state = SearchState(mode=space.objective.mode, placement=CurrentSpace(space, base))
        self.studies = Studies(space, self.state)
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Update both with one event."""
        self.state.apply(event)
        self.studies.apply(event)


class SearchHistory:
    """Log of a running search and what follows from it.

    Reading the log and recording an event use the same `apply`, so a resumed search is in the state that it left.

    Args:
        folder: of the experiment; must exist, and be locked by the caller.
        space: the current space.
        base: the configuration that `space.base` composes to.
        clock: seconds since 1970; never goes back.
        log: stores the events instead of the folder, where then nothing is written.

    Raises:
        RunFolderError: the log cannot be read.
    """

    def __init__(
        self, folder: Path, space: Space, base: RunConfig, clock: Callable[[], float], log: Log | None = None
    ) -> None:
        self.now = clock
        """Returns the seconds since 1970."""
        self._journal = None if log is not None else folder / "optuna.journal"
        self._space = space
        self._log: Log = EventLog(folder / LOG) if log is None else log
        try:
            self._folded = FoldedLog(space, base, self._log.events)
        except BaseException:
            self._log.close()
            raise
        self.state, self.studies = self._folded.state, self._folded.studies

    def open_journal(self) -> None:
        """Start to write optuna.journal, a copy for optuna-dashboard, if the folder is written at all."""
        if self._journal is not None:
            self.studies.open_journal(self._journal, self._space.name, self._space.objective.mode)

    def record(self, event: str, trial: TrialState | None = None, *, attempt: int | None = None, **data: Any) -> None:
        """Log an event of a trial, or of the search itself, and apply it.

        Args:
            event: its name, one of `event_schema.EVENTS`.
            trial: the trial that it belongs to.
            attempt: the attempt that begins with it; by default the trial's last attempt.
            data: the event's own data.
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
        """Log that a new trial has been asked for, and apply it: the trial waits."""
        self._write(Event(event="asked", time=self.now(), trial=trial, role=role, arm=arm, seed=seed, data=data))

    def record_adopted(self, trial: str, *, seed: int, events: list[dict[str, Any]]) -> None:
        """Log a trial of another experiment, with all of its events, as one event, and apply it.

        Args:
            trial: its name here.
            seed: that it was trained under.
            events: {event, data} each; `asked` first, its end last.
        """
        data = {"events": events}
        self._write(
            Event(event="adopted", time=self.now(), trial=trial, role="search", arm=trial, seed=seed, data=data)
        )

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _write(self, event: Event) -> None:
        self._log.append(event)
        self._folded.apply(event)


def steady_clock() -> Callable[[], float]:
    """Return a clock of seconds since 1970 that never goes back or jumps.

    It reads the time of day once, now, and adds the seconds that have passed since: setting the system's clock back or
    forth neither ends a search by `stop.hours` nor keeps it from ending. Where the system counts them (Linux), the
    hours of a suspended laptop have passed too.
    """
    began, start = time.time(), _seconds_passed()
    return lambda: began + _seconds_passed() - start


def _seconds_passed() -> float:
    """Return the seconds since some moment of the past, suspended ones included where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
