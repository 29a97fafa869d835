"""Promotion of paused trials: a trial that is not among the best at a rung may be among the best of more trials later.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), algorithm 2: a free slot first
promotes a paused trial, at the highest rung that has one to promote, and only then starts a new trial.
"""

from sleep_tune.experiment.trial_state import RungRank, TrialState
from sleep_tune.search.decide.asha import RungScheduler, describe_rank, is_promoted, num_kept
from sleep_tune.search.decide.proposals import cost_limit
from sleep_tune.search.decide.search_history import SearchHistory
from sleep_tune.search.space.rungs import PROMOTION
from sleep_tune.search.space.search_space import Space

__all__ = ["Promotions"]


class Promotions:
    """Promotes or stops the trials that have paused at a rung.

    Args:
        space: the current space. Paused trials that it has no use for are stopped.
        history: state of the search, and where events are logged.
        scheduler: decides at the rungs.
        budget_words: words of a whole run.
    """

    def __init__(self, space: Space, history: SearchHistory, scheduler: RungScheduler, budget_words: int) -> None:
        self._pauses = space.scheduler.name == PROMOTION
        self._reduction = space.scheduler.reduction
        self._history = history
        self._scheduler = scheduler
        self._budget_words = budget_words

    def promote(self) -> bool:
        """Promote one paused trial that is among the best 1/eta at its rung by now; return False if there is none.

        The highest rung comes first, and there the trial with the best rank. When a study has reached its limit of
        hours, GPU-hours or trials without improvement, none of its trials is promoted; `stop.trials` limits only new
        trials.
        """
        if not self._pauses:
            return False
        state, now = self._history.state, self._history.now()
        studies = {
            study.name
            for study in self._history.studies
            if cost_limit(study, state.study(study.name), state, now=now) is None
        }
        for trial, rung, rank in reversed(self._worst_first()):
            if trial.study in studies and trial.point is not None and is_promoted(rank, self._reduction):
                kept = num_kept(rank.reported, self._reduction)
                self._history.record("promoted", trial, rung=rung, reported=rank.reported, kept=kept)
                self._scheduler.settle(trial)  # it may have reported the next rung within the same update
                return True
        return False

    def stop_one(self) -> bool:
        """Stop one paused trial that is never promoted; return False if there is none.

        It is one of a study that asks for no more trials, when none of the study's trials runs or waits to run alone:
        their values can still promote others. Or the space has changed, so that it has no use for the trial. So every
        paused trial ends, and a study is over when all of its trials have ended.
        """
        state = self._history.state
        busy = {trial.study for trial in state.open_trials() if trial.state in ("running", "waiting")}
        for trial, rung, rank in self._worst_first():
            ended, reason = state.study(trial.study).ended, self._why_useless(trial)
            if reason is None and (ended is None or trial.study in busy):
                continue
            if reason is None and is_promoted(rank, self._reduction):
                reason = f"the search ended before this trial was promoted ({ended})"
            kept = num_kept(rank.reported, self._reduction)
            self.stop(trial, reason or describe_rank(rung, self._budget_words, kept, rank.reported))
            return True
        return False

    def _why_useless(self, trial: TrialState) -> str | None:
        """Return why the current space has no use for a paused trial; None if it may promote it."""
        if not self._pauses:
            return "the scheduler was changed before this trial was promoted"
        if trial.study not in (study.name for study in self._history.studies):
            return f"{trial.study} is not tuned any more"
        return None if trial.point is not None else "its settings are not in the space any more"

    def stop(self, trial: TrialState, reason: str) -> None:
        """Log that a paused trial is not trained further, so that its checkpoint is not needed any more."""
        self._history.record("stopped", trial, reason=reason, seconds=trial.seconds)

    def worst_first(self) -> list[TrialState]:
        """Return the paused trials: those of the lowest rung first, and there the one with the worst rank."""
        return [trial for trial, _, _ in self._worst_first()]

    def _worst_first(self) -> list[tuple[TrialState, int, RungRank]]:
        """Return the paused trials, each with the nominal words of the rung where it paused and its present rank."""
        state = self._history.state
        paused = [
            (trial, trial.paused_at, state.rank_now(trial, trial.paused_at))
            for trial in state.open_trials()
            if trial.state == "paused" and trial.paused_at is not None
        ]
        return sorted(paused, key=lambda one: (one[1], -(one[2].ahead or 0), -one[0].place))
