"""One plain line for each event of a search, for output that is not a terminal: logs, pipes, batch systems."""

from collections.abc import Iterator
from itertools import islice

from sleep_tune.experiment.search_state import TrialState
from sleep_tune.records import Decision
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.forecast import forecast
from sleep_tune.search.monitor.look_lines import describe_look

__all__ = ["EventLines", "heartbeat_line"]


VERBS = {Decision.CONTINUE: "promoted", Decision.STOP: "stopped", Decision.PAUSE: "paused"}


class EventLines:
    """The lines of a session: each event is printed once, and those of earlier sessions are not.

    Args:
        watched: the search.
    """

    def __init__(self, watched: SearchView) -> None:
        self._watched = watched
        self._open = {name: _Printed(trial) for name, trial in watched.trials.items() if not trial.ended}
        self._seen = len(watched.trials)
        self._looks = len(watched.state.looks)
        self._held: str | None = None
        self._changes = list(watched.changes)

    def lines(self) -> Iterator[str]:
        """Yield a line for each event since the last call."""
        yield from (f"changed: {change}" for change in self._changes)
        self._changes.clear()
        if self._watched.held != self._held:
            self._held = self._watched.held
            yield "the search continues" if self._held is None else f"the search is paused: {self._held}"
        for place in range(self._looks, len(self._watched.state.looks)):
            yield describe_look(self._watched.state, place, len(self._watched.space.finalists.looks))
        self._looks = len(self._watched.state.looks)
        trials = self._watched.trials
        self._open |= {name: _Printed(None) for name in islice(trials, self._seen, None)}
        self._seen = len(trials)
        for name, printed in list(self._open.items()):
            trial = trials[name]
            for text in printed.new_lines(trial, self._watched.space.objective.metric):
                yield f"{name} {text}"
            if trial.ended:
                del self._open[name]


class _Printed:
    """What has been printed about one trial."""

    def __init__(self, trial: TrialState | None) -> None:
        self.is_known = trial is not None
        self.attempt = trial.attempt if trial is not None else 0
        self.retries = trial.retries if trial is not None else 0
        self.alone = trial is not None and trial.alone
        self.rungs = set(trial.rungs) if trial is not None else set()
        self.was_running = trial is not None and trial.state == "running"
        self.paused_at = trial.paused_at if trial is not None else None

    def new_lines(self, trial: TrialState, metric: str) -> Iterator[str]:
        """Yield what has happened since, without the trial's name."""
        if not self.is_known:
            self.is_known = True
            yield f"proposed: {wording.trial_settings(trial)}"
        before, self.paused_at = self.paused_at, trial.paused_at
        is_promoted = before is not None and trial.decisions[before] is Decision.CONTINUE
        if is_promoted:
            yield f"promoted at {before:,} words, where it had paused"
        if trial.attempt > self.attempt:
            yield self._started(trial)
        for rung, value in trial.rungs.items():
            if rung in self.rungs or (rung not in trial.decisions and not trial.ended):
                continue
            self.rungs.add(rung)
            if rung in trial.decisions:
                yield f"at {rung:,} words: {metric} {wording.objective_value(value)}, {VERBS[trial.decisions[rung]]}"
        if trial.alone and not self.alone:
            self.alone = True
            more = f" (see {wording.short_path(trial.log)})" if trial.log else ""
            yield f"waits to be tried alone: {wording.failure_reason(trial)}{more}"
        elif self.was_running and trial.state == "waiting" and not is_promoted:
            yield f"paused at {wording.share_seen(trial.progress) or '0%'}; it resumes from there"
        self.was_running = trial.state == "running"
        if trial.state == "stopped" and trial.paused_at is not None:
            yield f"stopped: {wording.failure_reason(trial)}"
        elif trial.state == "stopped":  # its rung has been printed
            yield f"stopped after {wording.clock_time(trial.seconds)}"
        elif trial.ended:
            yield wording.ending(trial, metric)

    def _started(self, trial: TrialState) -> str:
        is_lost = trial.retries > self.retries
        self.attempt, self.retries, self.was_running = trial.attempt, trial.retries, True
        if trial.attempt == 1:
            return "started"
        memory = "" if trial.killer is None else f" (memory ran out on its machine, and {trial.killer} killed it)"
        alone = ", and nothing else runs" if trial.alone else ""
        return f"{f'lost its process{memory}, ' * is_lost}restarted (attempt {trial.attempt}){alone}"


def heartbeat_line(watched: SearchView, slots: int) -> str:
    """Return one line with the progress of the search and of its running trials."""
    state = forecast(watched, slots)
    done = wording.runs_done(state.done, state.total, is_most=state.is_most)
    most = "at most " * state.is_most
    left = [f"{most}about {wording.clock_time(state.seconds_left)} left"] if state.seconds_left else []
    running = [trial for trial in watched.trials.values() if trial.state == "running"]
    at = ", ".join(
        f"{trial.id} {wording.fold_of_phase(trial.progress)} {wording.share_seen(trial.progress)}" for trial in running
    )
    return " · ".join([done, *left, at.strip() or "nothing is running"])
