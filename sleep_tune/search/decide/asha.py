"""ASHA's stopping rule on nominal words. Knows nothing of trials, of Ray, or of where the values come from.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), in the form that stops instead
of pausing: each arrival at a rung is judged at once, against those that have been there.
"""

import math

from sleep_tune.experiment.trial_state import RungRank

__all__ = ["goes_on", "num_kept"]


def num_kept(reported: int, reduction: float) -> int:
    """How many of `reported` arrivals at a rung are the best 1/eta: rounded down, and at least one."""
    return max(1, math.floor(reported / reduction + 1e-9))


def goes_on(standing: RungRank, reduction: float) -> bool:
    """Whether an arrival at a rung is among the best 1/eta of all that had arrived there.

    The rule is decided by order of arrival: the first one always goes on, and nothing said before is taken back. Ties
    go to the earlier arrival. A value that is not finite never goes on, and counts as worse than any other.

    Args:
        standing: of the arrival that is judged.
        reduction: eta, above 1.
    """
    return standing.ahead is not None and standing.ahead < num_kept(standing.reported, reduction)
