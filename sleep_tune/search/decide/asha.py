"""ASHA's rule on nominal words, and the scheduler that applies it once to every trial when it reaches a rung.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020). A trial is judged when it
reaches a rung, against the trials that reached it before. `asha` stops the others; `promotion`, the form of the paper,
pauses them, and `promotion.py` promotes them later.
"""

import math
from typing import TYPE_CHECKING

from sleep_tune.experiment.trial_state import RungRank, TrialState
from sleep_tune.records import Decision, Outcome
from sleep_tune.search.space.rungs import PROMOTION, rungs_of
from sleep_tune.search.space.search_space import Space

if TYPE_CHECKING:
    from sleep_tune.search.decide.search_history import SearchHistory

__all__ = ["RungScheduler", "describe_rank", "is_promoted", "num_kept"]


def num_kept(reported: int, reduction: float) -> int:
    """Return how many of `reported` trials at a rung are the best 1/eta: rounded down, at least one."""
    return max(1, math.floor(reported / reduction + 1e-9))


def is_promoted(rank: RungRank, reduction: float) -> bool:
    """Return whether a trial is among the best 1/eta of all that have reached a rung by the moment of its rank.

    The first trial there always is. A trial whose value is not finite never is.

    Args:
        rank: when it reached the rung, or, of a paused trial, now.
        reduction: eta, above 1.
    """
    return rank.ahead is not None and rank.ahead < num_kept(rank.reported, reduction)


def describe_rank(rung: int, budget_words: int, kept: int, reported: int) -> str:
    """Return why a trial was not promoted at a rung.

    Args:
        rung: nominal words.
        budget_words: words of a whole run.
        kept: trials promoted there.
        reported: trials that had reported there.
    """
    return f"not among the best {kept} of {reported} at {rung / budget_words:.0%} of the budget"


class RungScheduler:
    """The scheduler of the current space: promotes, prunes or pauses search trials at its rungs.

    Each decision is logged before it takes effect.

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
        self._pauses = space.scheduler.name == PROMOTION
        self._words = {round(share * budget_words) for share in self.rungs} - {budget_words}

    def decide(self, trial: TrialState, rung: int) -> Decision:
        """Return the decision on a trial at a rung where it has reported; a decision of the past stands.

        A trial that must pause is not judged at the rungs above, even if they lie within the same update.
        """
        if trial.paused_at is not None:
            return Decision.PAUSE
        if trial.role != "search" or (rung not in self._words and rung not in trial.decisions):
            return Decision.CONTINUE
        if rung not in trial.decisions:
            rank, reduction = trial.ranks[rung], self._space.scheduler.reduction
            unfit = Decision.PAUSE if self._pauses and rank.ahead is not None else Decision.STOP
            self._history.record(
                "rung",
                trial,
                rung=rung,
                value=trial.rungs[rung],
                decision=(Decision.CONTINUE if is_promoted(rank, reduction) else unfit).value,
                reported=rank.reported,
                kept=num_kept(rank.reported, reduction),
                group=trial.group,
            )
        return trial.decisions[rung]

    def settle(self, trial: TrialState) -> None:
        """Decide on a waiting trial at the last rung that it has reported; end or pause it if it is not promoted."""
        if not trial.rungs:
            return
        self.decide(trial, max(trial.rungs))
        if trial.must_stop:
            self.record_stop(trial, None)
        elif trial.paused_at is not None:
            self.record_pause(trial, None)

    def record_pause(self, trial: TrialState, outcome: Outcome | None) -> None:
        """Log that a trial has paused at a rung; `outcome` is None if its process died before it reported one."""
        rung = trial.paused_at
        assert rung is not None, trial
        reason = describe_rank(rung, self._budget_words, *trial.kept[rung])
        self._history.record("paused", trial, reason=reason, outcome=None if outcome is None else outcome.to_json())

    def record_stop(self, trial: TrialState, outcome: Outcome | None) -> None:
        """Log that a pruned trial has ended; `outcome` is None if its process died before it reported one."""
        rung = next(rung for rung, decision in trial.decisions.items() if decision is Decision.STOP)
        if math.isfinite(trial.rungs[rung]):
            reason = describe_rank(rung, self._budget_words, *trial.kept[rung])
        else:
            at = f"at {rung / self._budget_words:.0%} of the budget"
            reason = f"{self._space.objective.metric} was not a finite number {at}"
        data = None if outcome is None else outcome.to_json()
        self._history.record("stopped", trial, reason=reason, outcome=data, seconds=trial.seconds)
