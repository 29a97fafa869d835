"""Settings of sleep that a run has and does not read, since it has no sleep phases."""

from typing import Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.sleep.budget import SleepPlan

__all__ = ["unread_settings"]

ASLEEP = ("sleep.learning_rate", "sleep.masking", "sleep.shrink.")
"""Beginnings of the options that act in sleep phases alone."""

READ_WHEN_MATCHED = ("sleep.context", "sleep.matched")


def unread_settings(config: RunConfig, plan: SleepPlan) -> dict[str, Any]:
    """Return the options of sleep that are away from their defaults and have no effect, by dotted key.

    A run that is matched to another has its exposures, in one order; of sleep it reads the context alone. Runs without
    sleep phases, with interleaved replay or without replay, do not read what acts in such phases.

    Args:
        config: the run's configuration.
        plan: of the run.
    """
    if plan.sleeps and not plan.interleave:
        return {}
    unread = ("sleep.",) if plan.matched else ASLEEP
    return {
        key: value
        for key, value in flatten(to_dict(config)).items()
        if key.startswith(unread) and key not in READ_WHEN_MATCHED and value not in (None, options()[key].default)
    }
