"""ASHA's stopping rule on nominal words, and the scheduler that applies it once to every trial at every rung.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), in the form that stops instead
of pausing: a trial is judged when it reaches a rung, against the trials that reached it before.
"""

import math
from typing import TYPE_CHECKING

from sleep_tune.experiment.trial_state import RungRank, TrialState
from sleep_tune.records import Decision, Outcome
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.search.space.search_space import Space

if TYPE_CHECKING:
    from sleep_tune.search.decide.search_history import SearchHistory

__all__ = ["RungScheduler", "is_promoted", "num_kept"]


def num_kept(reported: int, reduction: float) -> int:
    """Return how many of `reported` trials at a rung are the best 1/eta: rounded down, at least one."""
    return max(1, math.floor(reported / reduction + 1e-9))


def is_promoted(rank: RungRank, reduction: float) -> bool:
    """Return whether a trial is among the best 1/eta of all that had reached a rung when it did.

    The decision depends on the order of arrival: the first trial is always promoted, and no decision is revised. Of
    equal values the earlier ranks first. A value that is not finite is never promoted and ranks last.

    Args:
        rank: of the trial that is judged.
        reduction: eta, above 1.
    """
    return rank.ahead is not None and rank.ahead < num_kept(rank.reported, reduction)


class RungScheduler:
    """The scheduler of the current space: promotes or prunes search trials at its rungs, and logs each decision.

    Args:
        space: the current space.
        history: where decisions are logged.
        budget_words: words of a whole run.
    """

    def __init__(self, space: Space, history: "SearchHistory", budget_words: int) -> None:
        self._space = space
        self._history = history
        self._budget_words = budget_words
        self.rungs = rungs_of(space.scheduler)
        """Shares of the budget, below 1, at which search trials are compared."""
        self._words = {round(share * budget_words) for share in self.rungs} - {budget_words}

    def decide(self, trial: TrialState, rung: int) -> Decision:
        """Return the decision on a trial at a rung where it has reported; a decision of the past stands."""
        if trial.role != "search" or (rung not in self._words and rung not in trial.decisions):
            return Decision.CONTINUE
        if rung not in trial.decisions:
            rank, reduction = trial.ranks[rung], self._space.scheduler.reduction
            self._history.record(
                "rung",
                trial,
                rung=rung,
                value=trial.rungs[rung],
                decision=(Decision.CONTINUE if is_promoted(rank, reduction) else Decision.STOP).value,
                reported=rank.reported,
                kept=num_kept(rank.reported, reduction),
                group=trial.group,
            )
        return trial.decisions[rung]

    def record_stop(self, trial: TrialState, outcome: Outcome | None) -> None:
        """Log that a pruned trial has ended; `outcome` is None if its process died before it reported one."""
        rung = next(rung for rung, decision in trial.decisions.items() if decision is Decision.STOP)
        if math.isfinite(trial.rungs[rung]):
            kept, reported = trial.kept[rung]
            what = f"not among the best {kept} of {reported}"
        else:
            what = f"{self._space.objective.metric} was not a finite number"
        reason = f"{what} at {rung / self._budget_words:.0%} of the budget"
        data = None if outcome is None else outcome.to_json()
        self._history.record("stopped", trial, reason=reason, outcome=data, seconds=trial.seconds)
