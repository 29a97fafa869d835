"""The director of a search: what to train next, which trials to stop, when the search is over.

Launchers ask it and report to it; it starts no processes itself. Every decision is in trials.jsonl before it takes
effect, and the director's state is a fold over those lines, so a search that was killed at any moment is resumed as if
it had not been.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.experiment.event_log import Log
from sleep_tune.experiment.look_evidence import Judge
from sleep_tune.experiment.search_state import TrialState
from sleep_tune.folder_lock import FolderLock
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.decide import experiment_identity
from sleep_tune.search.decide.asha import RungScheduler
from sleep_tune.search.decide.assignments import Done, Trial, Wait
from sleep_tune.search.decide.promotion import Promotions
from sleep_tune.search.decide.proposals import Proposals
from sleep_tune.search.decide.search_history import SearchHistory, steady_clock
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.decide.session_start import start_session
from sleep_tune.search.space.budget_check import budget_words, check_budget, check_search_ends
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.trial_configs import TrialConfigs

__all__ = ["Director", "Done", "Trial", "Wait"]


MEMORY_REMEDY = (
    "lower training.batch_size or data.max_length, or train fewer trials at a time (resources.cpus_per_worker)"
)


class Director(SearchView):
    """Opens the experiment folder, or resumes the search in it. Not thread-safe.

    Args:
        space: the current space.
        base: the configuration that `space.base` composes to.
        corpus: read by every trial.
        folder: results/<name>; made if absent.
        gpus: GPUs that one trial holds while it runs.
        shared: the memories that trials share while they run: 'GPU', 'machine'.
        clock: seconds since 1970; never goes back. A `steady_clock` by default.
        log: stores the events instead of the folder, which then is neither made nor read.
        lock: of the folder, if the caller holds it; else the director takes it first, and holds it until `close`.
        judge: says at a look which arms are decided. Without one, all arms get the seeds of the last look.

    Raises:
        BudgetError: an arm or a choice that the budget can never hold.
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
        shared: Collection[str] = (),
        clock: Callable[[], float] | None = None,
        log: Log | None = None,
        lock: FolderLock | None = None,
        judge: Judge | None = None,
    ) -> None:
        check_budget(space, base, corpus)
        check_search_ends(space, gpus)
        self.space = space
        self.corpus = corpus
        self.folder = folder.resolve()
        self.budget_words = budget_words(base, corpus)
        self.held = None
        """Why the search is paused: nothing is started, and running trials pause. Launchers set it."""
        self._gpus = gpus
        self._shared = shared
        self._pausing: set[str] = set()
        """Trials whose last report was answered with PAUSE."""
        with contextlib.ExitStack() as held:
            if log is None and lock is None:
                held.enter_context(FolderLock(self.folder))
            then = experiment_identity.open_folder(self.folder, space, base, corpus) if log is None else None
            self._history = SearchHistory(self.folder, space, base, clock or steady_clock(), log)
            held.callback(self._history.close)
            self.state = self._history.state
            if log is None:
                experiment_identity.check_trials(self.folder, self.state.trials)
            self._scheduler = RungScheduler(space, self._history, self.budget_words)
            self._configs = TrialConfigs(space, base, corpus, self.folder, self.rungs)
            self._proposals = Proposals(space, self._history, self._configs, seed=base.training.seed, judge=judge)
            self._promotions = Promotions(space, self._history, self._scheduler, self.budget_words)
            self._steps = (
                self._promotions.promote,
                self._proposals.ask,
                self._promotions.stop_one,
                self._proposals.ask_repeat,
                self._proposals.judge_arms,
            )
            """What a free slot may do if no trial waits, tried in this order until one returns True."""
            start_session(
                self._history,
                self._scheduler,
                space,
                base,
                corpus,
                self.folder,
                budget_words=self.budget_words,
                then=then,
            )
            self._held = held.pop_all()

    @property
    def rungs(self) -> tuple[float, ...]:
        """Shares of the budget, below 1, at which search trials are compared."""
        return self._scheduler.rungs

    @property
    def running(self) -> int:
        """Number of running trials."""
        return self.state.num_running()

    @property
    def pausing(self) -> int:
        """Number of running trials that have been asked to pause, and have not ended yet."""
        return sum(self.state.trials[name].state == "running" for name in self._pausing)

    @property
    def seconds_per_update(self) -> float:
        """Seconds per update of the slowest running trial, evaluations included; 0 before any has reported one."""
        reports = (trial.progress for trial in self.state.open_trials() if trial.state == "running")
        return max((report.seconds / report.updates for report in reports if report and report.updates), default=0.0)

    def seconds(self) -> float:
        """Return the wall clock in seconds, over all sessions."""
        return self.state.seconds(self._history.now())

    def next(self) -> Trial | Wait | Done:
        """Return what to do with a free slot. A trial that is returned is running from now on.

        A trial that must run alone is started when nothing runs and nothing else can be started, so that no slot waits
        for it before. Until it has ended nothing is started beside it.
        """
        if self.finished:
            return Done()
        if self.held is not None or self.state.is_taken():
            return Wait()
        while True:
            waiting = self.state.first_waiting()
            if waiting is None:
                if any(step() for step in self._steps):
                    continue
                waiting = None if self.running else self.state.first_waiting(alone=True)
            if waiting is None:
                break
            if self._proposals.drop(waiting):
                continue
            elif waiting.attempt:
                return self._start(waiting, "resumed")
            elif not self._proposals.end_untrained(waiting):
                return self._start(waiting, None)
        if not self.state.all_ended():
            return Wait()
        self._history.record("closed", finished=True)
        return Done()

    def on_progress(self, trial_id: str, progress: Progress) -> Decision:
        """Return the decision on a run that reports. A report at a rung is logged, and so is the decision.

        A rung that a later attempt reports again gets the same decision: its first report counts. While the search is
        paused, a run that would continue must pause, except at the end of its budget, where it has ended.

        Raises:
            ConfigError: the run does not report the objective.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return Decision.STOP
        trial.progress = progress
        rung = progress.rung
        if rung is None:
            return Decision.STOP if trial.must_stop else self._unless_paused(trial)
        if rung not in trial.rungs:
            value = self._objective(progress.metrics)
            self._history.record("report", trial, rung=rung, value=value, progress=progress.to_json())
        decision = self._scheduler.decide(trial, rung)
        if decision is Decision.PAUSE:
            self._pausing.add(trial.id)
        return self._unless_paused(trial) if decision is Decision.CONTINUE and rung < self.budget_words else decision

    def on_end(self, trial_id: str, outcome: Outcome | None) -> None:
        """Record that a run has ended without a failure. One that has paused waits to be resumed.

        One that stopped though it was not pruned was interrupted: the next session resumes it.

        Args:
            trial_id: the run's trial.
            outcome: how it ended; None if it reported none, as when it was cancelled before it began.

        Raises:
            ConfigError: a completed run that does not report the objective.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return
        if trial.must_stop and (outcome is None or outcome.state != "completed"):
            self._scheduler.record_stop(trial, outcome)
            return
        if trial.paused_at is not None and (outcome is None or outcome.state != "completed"):
            self._scheduler.record_pause(trial, outcome)
            return
        if outcome is None or outcome.state == "paused":
            data = None if outcome is None else outcome.to_json()
            self._history.record("paused", trial, reason=self.held, outcome=data)
        if outcome is None or outcome.state != "completed":
            return
        value = self._objective(outcome.metrics)
        if math.isfinite(value):
            self._history.record("completed", trial, value=value, outcome=outcome.to_json())
        else:
            reason = f"{self.space.objective.metric} is not a finite number at the end"
            self._history.record("failed", trial, kind="diverged", reason=reason, outcome=outcome.to_json())

    def on_failure(
        self, trial_id: str, reason: str, kind: str, log: str | None = None, *, on_gpu: bool = False
    ) -> None:
        """Record that a run has failed and is not retried, or has run out of memory that it shared and waits.

        Args:
            trial_id: the run's trial.
            reason: in a sentence.
            kind: 'diverged' or 'out_of_memory' (caused by the settings: a failed trial for the sampler), 'bug' (of
                this program) or 'infrastructure' (of the machine; `on_lost` retries a lost process).
            log: path of the run's log.
            on_gpu: whether the memory that ran out is the GPU's, and not the machine's.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return
        if kind != "out_of_memory" or not self._defer(trial, reason, log, "GPU" if on_gpu else "machine"):
            self._history.record("failed", trial, kind=kind, reason=reason, log=log, seconds=trial.seconds)

    def on_lost(
        self, trial_id: str, reason: str = "its process died", log: str | None = None, killer: str | None = None
    ) -> Trial | None:
        """Return the next attempt of a run whose process died.

        None if it has ended, failed after `max_retries`, or waits because memory ran out that it shared.

        Args:
            trial_id: the run's trial.
            reason: in a sentence.
            log: path of the run's log.
            killer: what killed the process because its machine ran out of memory; None if nothing did. If the last
                attempt ends so, the trial has failed as out of memory, since its settings may be the cause.
        """
        trial = self.state.trials[trial_id]
        if trial.state != "running":
            return None
        if trial.must_stop:
            self._scheduler.record_stop(trial, None)
            return None
        if trial.paused_at is not None:
            self._scheduler.record_pause(trial, None)
            return None
        if killer is not None and self._defer(trial, f"{killer} killed its process", log, "machine"):
            return None
        if trial.retries < self.space.resources.max_retries:
            return self._start(trial, "lost", killer)
        times = f"after {trial.attempt} attempts" if trial.attempt > 1 else "at its first attempt"
        if killer is None:
            self.on_failure(trial_id, f"{reason} {times}", "infrastructure", log)
        else:
            why = f"memory ran out on its machine, and {killer} killed its process, {times}; {MEMORY_REMEDY}"
            self.on_failure(trial_id, why, "out_of_memory", log)
        return None

    def paused_worst_first(self) -> list[TrialState]:
        """Return the trials that have paused at a rung: those of the lowest rung first, and there the worst."""
        return self._promotions.worst_first()

    def stop_paused(self, trial_id: str, reason: str) -> None:
        """Stop a trial that has paused at a rung, so that its checkpoint is not needed any more.

        Args:
            trial_id: the trial.
            reason: in a sentence.
        """
        self._promotions.stop(self.state.trials[trial_id], reason)

    def close(self) -> None:
        """End this session. The next one resumes the running trials."""
        with self._held:
            if not self.finished:
                trials = self.trials.values()
                spent = {trial.id: trial.seconds for trial in trials if trial.seconds > (trial.spent or 0.0)}
                data: dict[str, Any] = {"seconds": spent} if spent else {}
                self._history.record("closed", finished=False, **data)

    def _defer(self, trial: TrialState, reason: str, log: str | None, memory: str) -> bool:
        """Make a trial wait until it can run alone, if it has shared the memory that ran out; return whether it did.

        Its settings are not to blame before memory runs out with nothing else beside it.
        """
        if trial.alone or memory not in self._shared:
            return False
        if trial.must_stop:
            self._scheduler.record_stop(trial, None)
        elif trial.paused_at is not None:
            self._scheduler.record_pause(trial, None)
        else:
            why = f"memory ran out while trials shared the {memory}: {reason}"
            self._history.record("deferred", trial, reason=why, log=log, seconds=trial.seconds)
        return True

    def _start(self, trial: TrialState, after: str | None, killer: str | None = None) -> Trial:
        self._pausing.discard(trial.id)
        number, spent = trial.attempt + 1, trial.seconds
        gpus = float(math.ceil(self._gpus)) if trial.alone else self._gpus
        alone = {"alone": True} if trial.alone else {}
        self._history.record(
            "started", trial, attempt=number, after=after, gpus=gpus, seconds=spent, killer=killer, **alone
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

    def _unless_paused(self, trial: TrialState) -> Decision:
        if self.held is None:
            return Decision.CONTINUE
        self._pausing.add(trial.id)
        return Decision.PAUSE

    def _objective(self, metrics: Mapping[str, float]) -> float:
        """Return the objective among a run's metrics; NaN if it is not finite."""
        metric = self.space.objective.metric
        if metric not in metrics:
            raise ConfigError(unknown("objective.metric", metric, metrics))
        value = float(metrics[metric])
        return value if math.isfinite(value) else math.nan
