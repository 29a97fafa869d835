"""The one brain of a search: what to train next, who stops, when it is over. Whoever runs the trials asks here.

Knows no processes, no Ray and no torch. Everything that it decides is in trials.jsonl before it is acted upon, and
what it knows is a fold over those lines, so that a search killed at any moment goes on as if it had not been.
"""

import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.experiment.event_log import Log
from sleep_tune.experiment.search_state import MAIN, SearchState, TrialState
from sleep_tune.folder_lock import FolderLock
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.decide import study_folder
from sleep_tune.search.decide.proposals import Asker
from sleep_tune.search.decide.rung_decisions import Judge
from sleep_tune.search.decide.search_memory import Memory
from sleep_tune.search.decide.session_start import Opening
from sleep_tune.search.decide.steady_clock import steady_clock
from sleep_tune.search.decide.work import Done, Trial, Wait
from sleep_tune.search.space.budget_check import budget_words, check_budget, check_search_ends
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.trial_configs import TrialConfigs

__all__ = ["Director", "Done", "Trial", "Wait"]


MEMORY_REMEDY = (
    "lower training.batch_size or data.max_length, or train fewer trials at a time (resources.cpus_per_worker)"
)


class Director:
    """Opens the experiment folder, or goes on with the one that is there. Not for several threads at once.

    Args:
        space: the study.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        folder: results/<name>; made if absent.
        gpus: GPUs that one trial holds while it runs.
        clock: seconds since 1970; never goes back. A `steady_clock` unless given.
        log: where events go instead of the folder, which then is neither made nor read.
        lock: of the folder, where the caller holds it; else it is taken here, before anything is read, until `close`.

    Raises:
        BudgetError: a baseline or a choice that the budget can never hold.
        ConfigError: a search that would never end.
        RunFolderError: the folder holds another study, is in use, or its log cannot be read.
    """

    def __init__(
        self,
        space: Space,
        base: RunConfig,
        corpus: CorpusSummary,
        folder: Path,
        *,
        gpus: float = 0.0,
        clock: Callable[[], float] | None = None,
        log: Log | None = None,
        lock: FolderLock | None = None,
    ) -> None:
        check_budget(space, base, corpus)
        check_search_ends(space, gpus)
        self.space = space
        self.corpus = corpus
        self.folder = folder.resolve()
        self.budget_words = budget_words(base, corpus)
        self.held: str | None = None
        """Why nothing may be started now, and what runs is told to pause; None to go on. Set from outside."""
        self._gpus = gpus
        self._told_to_pause: set[str] = set()
        with contextlib.ExitStack() as held:
            if log is None and lock is None:
                held.enter_context(FolderLock(self.folder))
            then = study_folder.open_folder(self.folder, space, base, corpus) if log is None else None
            self._memory = Memory(self.folder, space, base, clock or steady_clock(), log)
            held.callback(self._memory.close)
            if log is None:
                study_folder.check_trials(self.folder, self._memory.state.trials)
            self._judge = Judge(space, self._memory, self.budget_words)
            self._configs = TrialConfigs(space, base, corpus, self.folder, self.rungs)
            self._asker = Asker(space, self._memory, self._configs, seed=base.training.seed)
            opening = Opening(space, base, corpus, self.folder, self.budget_words)
            opening.begin(self._memory, self._judge, then)
            self._held = held.pop_all()

    @property
    def rungs(self) -> tuple[float, ...]:
        """Shares of the budget, below 1, at which search trials are compared."""
        return self._judge.rungs

    @property
    def state(self) -> SearchState:
        """All that is known; to be read only."""
        return self._memory.state

    @property
    def trials(self) -> Mapping[str, TrialState]:
        """Every trial asked for so far, in that order."""
        return MappingProxyType(self.state.trials)

    @property
    def finished(self) -> bool:
        """Whether every trial, baseline and finalist has ended."""
        return self.state.finished

    @property
    def ended(self) -> str | None:
        """Why the search asks for no more trials, once it does (baselines and finalists may still be running)."""
        return self.state.study(MAIN).ended

    @property
    def changes(self) -> list[str]:
        """How this session differs from the last: options of the space, trials of earlier experiments taken over."""
        return self.state.changes

    @property
    def running(self) -> int:
        """How many trials are running."""
        return self.state.num_running()

    @property
    def pausing(self) -> int:
        """How many running trials have reported since the search is held, and were told to pause."""
        return sum(self.state.trials[name].state == "running" for name in self._told_to_pause)

    @property
    def seconds_per_update(self) -> float:
        """Of the slowest running trial, on average and with its evaluations; 0 before any has reported an update."""
        courses = (trial.progress for trial in self.state.open_trials() if trial.state == "running")
        return max((course.seconds / course.updates for course in courses if course and course.updates), default=0.0)

    def best(self) -> TrialState | None:
        """The best completed trial of the search so far."""
        return self.state.best()

    def counts(self) -> dict[str, int]:
        """Trials by state; states that none is in are left out."""
        states = [trial.state for trial in self.state.trials.values()]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    def seconds(self) -> float:
        """Wall clock, summed over sessions."""
        return self.state.seconds(self._memory.now())

    def next(self) -> Trial | Wait | Done:
        """What to do with a free slot. A trial returned here is running from now on."""
        if self.finished:
            return Done()
        if self.held is not None:
            return Wait()
        while True:
            waiting = self.state.first_waiting()
            if waiting is None:
                if not self._asker.ask() and not self._asker.repeat():
                    break
            elif waiting.attempt:
                return self._start(waiting, "resumed")
            elif not self._asker.settle(waiting):
                return self._start(waiting, None)
        if not self.state.all_ended():
            return Wait()
        self._memory.record("closed", finished=True)
        return Done()

    def on_progress(self, trial_id: str, progress: Progress) -> Decision:
        """Take a report in and answer it. A heartbeat is remembered, a rung logged, and what is decided there too.

        A rung reported again, by a later attempt, is answered as before: its first report counts. While the search is
        held, a run that would go on is told to pause; but not at the end of its budget, where it is done anyway.

        Raises:
            ConfigError: the run does not report the objective.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return Decision.STOP
        trial.progress = progress
        rung = progress.rung
        if rung is None:
            return Decision.STOP if trial.must_stop else self._unless_held(trial)
        if rung not in trial.rungs:
            value = self._objective(progress.metrics)
            self._memory.record("report", trial, rung=rung, value=value, progress=progress.to_json())
        decision = self._judge.judge(trial, rung)
        return self._unless_held(trial) if decision is Decision.CONTINUE and rung < self.budget_words else decision

    def on_end(self, trial_id: str, outcome: Outcome | None) -> None:
        """A run has ended by itself, or as it was told to. One that has paused waits to be started again.

        One that ended as stopped, untold, was interrupted: it is left for the next session.

        Args:
            trial_id: whose run.
            outcome: how it ended; None where it did not say, as one that was given back before it began.

        Raises:
            ConfigError: a completed run that does not report the objective.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return
        if trial.must_stop and (outcome is None or outcome.state != "completed"):
            self._judge.stop(trial, outcome)
            return
        if outcome is None or outcome.state == "paused":
            said = None if outcome is None else outcome.to_json()
            self._memory.record("paused", trial, reason=self.held, outcome=said)
        if outcome is None or outcome.state != "completed":
            return
        value = self._objective(outcome.metrics)
        if math.isfinite(value):
            self._memory.record("completed", trial, value=value, outcome=outcome.to_json())
        else:
            reason = f"{self.space.objective.metric} is not a finite number at the end"
            self._memory.record("failed", trial, kind="diverged", reason=reason, outcome=outcome.to_json())

    def on_failure(self, trial_id: str, reason: str, kind: str, log: str | None = None) -> None:
        """A run failed for good.

        Args:
            trial_id: whose run.
            reason: in a sentence.
            kind: 'diverged' or 'out_of_memory' (the settings' doing: the sampler is told), 'bug' (ours) or
                'infrastructure' (the machine's; see `on_lost` for a process that may be started again).
            log: path of a file that says more.
        """
        trial = self.state.trials[trial_id]
        if trial.state == "running":
            self._memory.record("failed", trial, kind=kind, reason=reason, log=log, seconds=trial.seconds)

    def on_lost(
        self, trial_id: str, reason: str = "its process died", log: str | None = None, killer: str | None = None
    ) -> Trial | None:
        """A run's process died: its next attempt, or None if it has ended, or failed now after `max_retries`.

        Args:
            trial_id: whose run.
            reason: in a sentence.
            log: path of a file that says more.
            killer: who killed it because memory ran out on its machine, if somebody did; a run whose last attempt ends
                so has failed for want of memory, as its settings may be the cause.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return None
        if trial.must_stop:
            self._judge.stop(trial, None)
            return None
        if trial.retries < self.space.resources.max_retries:
            return self._start(trial, "lost", killer)
        times = f"after {trial.attempt} attempts" if trial.attempt > 1 else "at its first attempt"
        if killer is None:
            self.on_failure(trial_id, f"{reason} {times}", "infrastructure", log)
        else:
            told = f"memory ran out on its machine, and {killer} killed its process, {times}; {MEMORY_REMEDY}"
            self.on_failure(trial_id, told, "out_of_memory", log)
        return None

    def close(self) -> None:
        """End this session. Running trials go on in the next one."""
        with self._held:
            if not self.finished:
                spent = {trial.id: trial.seconds for trial in self.trials.values() if trial.seconds > trial.spent}
                data: dict[str, Any] = {"seconds": spent} if spent else {}
                self._memory.record("closed", finished=False, **data)

    def _start(self, trial: TrialState, after: str | None, killer: str | None = None) -> Trial:
        self._told_to_pause.discard(trial.id)
        number, spent = trial.attempt + 1, trial.seconds
        self._memory.record(
            "started", trial, attempt=number, after=after, gpus=self._gpus, seconds=spent, killer=killer
        )
        return Trial(
            id=trial.id,
            role=trial.role,
            arm=trial.arm,
            seed=trial.seed,
            parameters=dict(trial.parameters),
            attempt=trial.attempt,
            config=self._configs.of(trial),
            group=trial.group,
        )

    def _unless_held(self, trial: TrialState) -> Decision:
        if self.held is None:
            return Decision.CONTINUE
        self._told_to_pause.add(trial.id)
        return Decision.PAUSE

    def _objective(self, metrics: Mapping[str, float]) -> float:
        """The objective among what a run reports; NaN if it is not finite."""
        metric = self.space.objective.metric
        if metric not in metrics:
            raise ConfigError(unknown("objective.metric", metric, metrics))
        value = float(metrics[metric])
        return value if math.isfinite(value) else math.nan
