"""One plain line for each thing that has happened in a search, said once. For logs, pipes and batch systems.

Compares what is there with what was said; knows no terminal and no clock.
"""

from collections.abc import Iterator
from itertools import islice

from sleep_tune.experiment.search_state import TrialState
from sleep_tune.records import Decision
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.forecast import Watched, forecast

__all__ = ["News", "heartbeat"]


class News:
    """What has not been said yet. What an earlier session has said is not said again.

    Args:
        watched: the search.
    """

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._open = {name: _Told(trial) for name, trial in watched.trials.items() if not trial.ended}
        self._seen = len(watched.trials)
        self._held: str | None = None
        self._changes = list(watched.changes)

    def lines(self) -> Iterator[str]:
        """Each new thing in a line. Trials that have ended are not looked at again."""
        yield from (f"changed: {change}" for change in self._changes)
        self._changes.clear()
        if self._watched.held != self._held:
            self._held = self._watched.held
            yield "the search goes on" if self._held is None else f"the search is paused: {self._held}"
        trials = self._watched.trials
        self._open |= {name: _Told(None) for name in islice(trials, self._seen, None)}
        self._seen = len(trials)
        for name, told in list(self._open.items()):
            trial = trials[name]
            for text in told.news(trial, self._watched.space.objective.metric):
                yield f"{name} {text}"
            if trial.ended:
                del self._open[name]


class _Told:
    """What has been said of one trial."""

    def __init__(self, trial: TrialState | None) -> None:
        self.is_known = trial is not None
        self.attempt = trial.attempt if trial is not None else 0
        self.retries = trial.retries if trial is not None else 0
        self.rungs = set(trial.rungs) if trial is not None else set()
        self.was_running = trial is not None and trial.state == "running"

    def news(self, trial: TrialState, metric: str) -> Iterator[str]:
        """What has not been said yet, without the trial's name."""
        if not self.is_known:
            self.is_known = True
            yield f"asked: {wording.settings(trial)}"
        if trial.attempt > self.attempt:
            yield self._started(trial)
        for rung, value in trial.rungs.items():
            if rung in self.rungs or (rung not in trial.decisions and not trial.ended):
                continue
            self.rungs.add(rung)
            if rung in trial.decisions:
                verb = "goes on" if trial.decisions[rung] is Decision.CONTINUE else "is stopped"
                yield f"at {rung:,} words: {metric} {wording.number(value)}, {verb}"
        if self.was_running and trial.state == "waiting":
            yield f"paused at {wording.percent(trial.progress) or 'its beginning'}; it goes on from there later"
        self.was_running = trial.state == "running"
        if trial.ended:
            is_told = trial.state == "stopped"  # at its rung
            yield f"stopped after {wording.duration(trial.seconds)}" if is_told else wording.ending(trial, metric)

    def _started(self, trial: TrialState) -> str:
        is_lost = trial.retries > self.retries
        self.attempt, self.retries, self.was_running = trial.attempt, trial.retries, True
        if trial.attempt == 1:
            return "started"
        memory = "" if trial.killer is None else f" (memory ran out on its machine, and {trial.killer} killed it)"
        return f"{f'lost its process{memory}, ' * is_lost}started again (attempt {trial.attempt})"


def heartbeat(watched: Watched, slots: int) -> str:
    """One line that says where everything stands."""
    state = forecast(watched, slots)
    done = f"{state.done} runs done" if state.total is None else f"{state.done}/{state.total} runs done"
    left = [f"about {wording.duration(state.seconds_left)} left"] if state.seconds_left else []
    running = [trial for trial in watched.trials.values() if trial.state == "running"]
    at = ", ".join(f"{trial.id} {wording.phase(trial.progress)} {wording.percent(trial.progress)}" for trial in running)
    return " · ".join([done, *left, at.strip() or "nothing is running"])
