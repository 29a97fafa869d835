"""When a study asks for no more trials. Reads the state; decides nothing about trials that run."""

from sleep_tune.experiment.search_state import SearchState, StudyState
from sleep_tune.search.space.search_space import Stop

__all__ = ["MAX_REFUSALS", "reason_to_stop"]

MAX_REFUSALS = 1000
"""Settings refused in a row after which a study gives up: its space and its budget do not fit."""


def reason_to_stop(
    study: StudyState, state: SearchState, stop: Stop, num_settings: int | None, *, now: float
) -> str | None:
    """Why the study should ask for no more trials, or None.

    Args:
        study: the study in question.
        state: the whole search.
        stop: its limits; None is no limit.
        num_settings: how many different settings it can propose; None when there is no end to them.
        now: seconds since 1970.
    """
    if stop.trials is not None and study.trained >= stop.trials:
        return f"stop.trials: {study.trained} trials"
    hours = state.seconds(now) / 3600
    if stop.hours is not None and hours >= stop.hours:
        return f"stop.hours: {hours:.2f} hours"
    gpu_hours = state.gpu_hours(study.name)
    if stop.gpu_hours is not None and gpu_hours >= stop.gpu_hours:
        return f"stop.gpu_hours: {gpu_hours:.2f} GPU-hours"
    if stop.no_improvement is not None and study.without_improvement >= stop.no_improvement:
        return f"stop.no_improvement: {study.without_improvement} completed trials without a new best"
    if num_settings is not None and len(study.known) >= num_settings:
        return f"all {num_settings} settings of the space have been tried"
    if study.refusals >= MAX_REFUSALS:
        last = [trial for trial in state.trials.values() if trial.study == study.name][-1]
        return f"{study.refusals} settings in a row were refused; the last: {last.reason}"
    return None
