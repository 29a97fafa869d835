"""Who goes on at a rung: the scheduler's rule, applied once to each arrival, logged, and kept to from then on."""

import math

from sleep_tune.experiment.trial_state import TrialState
from sleep_tune.records import Decision, Outcome
from sleep_tune.search.decide import asha
from sleep_tune.search.decide.search_memory import Memory
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.search.space.search_space import Space

__all__ = ["Judge"]


class Judge:
    """Decides at the present scheduler's rungs, and nowhere else.

    Args:
        space: the study as it is now.
        memory: what is known, and where decisions are written.
        budget_words: B.
    """

    def __init__(self, space: Space, memory: Memory, budget_words: int) -> None:
        self._space = space
        self._memory = memory
        self._budget_words = budget_words
        self.rungs = rungs_of(space.scheduler)
        """Shares of the budget, below 1, at which search trials are compared."""
        self._words = {round(share * budget_words) for share in self.rungs} - {budget_words}

    def judge(self, trial: TrialState, rung: int) -> Decision:
        """What was decided of a trial at a rung where it has reported, or is now."""
        if trial.role != "search" or (rung not in self._words and rung not in trial.decisions):
            return Decision.CONTINUE
        if rung not in trial.decisions:
            standing, reduction = trial.ranks[rung], self._space.scheduler.reduction
            is_kept = asha.goes_on(standing, reduction)
            self._memory.record(
                "rung",
                trial,
                rung=rung,
                value=trial.rungs[rung],
                decision=(Decision.CONTINUE if is_kept else Decision.STOP).value,
                reported=standing.reported,
                kept=asha.num_kept(standing.reported, reduction),
                group=trial.group,
            )
        return trial.decisions[rung]

    def stop(self, trial: TrialState, outcome: Outcome | None) -> None:
        """Record that a trial has been stopped; it may have died before it could say with what outcome."""
        rung = next(rung for rung, decision in trial.decisions.items() if decision is Decision.STOP)
        if math.isfinite(trial.rungs[rung]):
            kept, reported = trial.kept[rung]
            what = f"not among the best {kept} of {reported}"
        else:
            what = f"{self._space.objective.metric} was not a finite number"
        reason = f"{what} at {rung / self._budget_words:.0%} of the budget"
        said = None if outcome is None else outcome.to_json()
        self._memory.record("stopped", trial, reason=reason, outcome=said, seconds=trial.seconds)
