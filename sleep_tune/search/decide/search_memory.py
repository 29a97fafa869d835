"""What a search remembers: the log, the state folded from it, and the studies that learn from it.

`record` is the only way in which anything changes while a search runs: the event is on the disk before it is applied.
Decides nothing.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.event_log import LOG, EventLog, Log
from sleep_tune.experiment.search_state import SearchState, TrialState
from sleep_tune.records import Event
from sleep_tune.search.decide.space_fit import Present
from sleep_tune.search.decide.studies import Studies
from sleep_tune.search.space.search_space import Space

__all__ = ["Knowledge", "Memory", "replay"]


class Knowledge:
    """What is known of a search, as the present space sees it.

    Args:
        space: the study as it is now; its trials may have been asked for under another.
        base: what `space.base` composes to.
    """

    def __init__(self, space: Space, base: RunConfig) -> None:
        self.state = SearchState(mode=space.objective.mode, placement=Present(space, base))
        self.studies = Studies(space, self.state)

    def apply(self, event: Event) -> None:
        """Take one event in."""
        self.state.apply(event)
        self.studies.apply(event)


def replay(events: Iterable[Event], space: Space, base: RunConfig) -> Knowledge:
    """What a search that wrote these events knows: the same, whoever asks and whenever.

    Args:
        events: of its log, in order, from the first.
        space: the study as it is now.
        base: what `space.base` composes to.
    """
    known = Knowledge(space, base)
    for event in events:
        known.apply(event)
    return known


class Memory:
    """Read back from trials.jsonl, event by event, by the same `apply` that `record` calls.

    Args:
        folder: of the experiment; must exist, and be locked by the caller.
        space: the study.
        base: what `space.base` composes to.
        clock: seconds since 1970; never goes back.
        log: where events go instead of the folder, on which then nothing is written.

    Raises:
        RunFolderError: the log cannot be read.
    """

    def __init__(
        self, folder: Path, space: Space, base: RunConfig, clock: Callable[[], float], log: Log | None = None
    ) -> None:
        self._clock = clock
        self._journal = None if log is not None else folder / "optuna.journal"
        self._space = space
        self._log: Log = EventLog(folder / LOG) if log is None else log
        try:
            self._known = replay(self._log.events, space, base)
        except BaseException:
            self._log.close()
            raise
        self.state, self.studies = self._known.state, self._known.studies

    def open_journal(self) -> None:
        """Begin to keep optuna.journal, a copy for optuna-dashboard, where anything is written at all."""
        if self._journal is not None:
            self.studies.open_journal(self._journal, self._space.name, self._space.objective.mode)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def record(self, event: str, trial: TrialState | None = None, *, attempt: int | None = None, **data: Any) -> None:
        """Write an event of a trial, or of the search itself, and take it in.

        Args:
            event: its name, one of those in `event_log`.
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

    def record_adopted(self, trial: str, *, seed: int, events: list[dict[str, Any]]) -> None:
        """Write that a trial of another experiment is known here, and take it in, in one event.

        Args:
            trial: its name here.
            seed: it was trained under.
            events: what it consists of: {event, data} each, `asked` first, its end last.
        """
        data = {"events": events}
        self._write(
            Event(event="adopted", time=self.now(), trial=trial, role="search", arm=trial, seed=seed, data=data)
        )

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def _write(self, event: Event) -> None:
        self._log.append(event)
        self._known.apply(event)
