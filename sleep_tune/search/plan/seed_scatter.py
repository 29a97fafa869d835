"""The scatter of results over seeds, from the runs over fresh seeds of an earlier experiment.

All trials of a search have the same seed, and all arms of a comparison have the same fresh seeds. So what scatters the
difference of two settings is not the effect that a seed has on all of them, but the rest: the standard deviation over
seeds of the difference, divided by sqrt(2). With a single arm this is not known, and its own standard deviation is
taken, which includes the effect of the seed.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from sleep_tune.errors import ConfigError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import EXPERIMENT, describe_experiment
from sleep_tune.experiment.search_state import fold_events

__all__ = ["SeedScatter", "find_scatter", "pooled_deviation", "read_scatter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScatter:
    """The scatter of the objective over seeds."""

    deviation: float
    """Standard deviation of one run, in the unit of the objective, without the effect that a seed has on all arms."""
    arms: int
    """Arms with at least two seeds."""
    runs: int
    """Completed runs of these arms."""
    source: Path
    """The experiment's folder."""


def find_scatter(earlier: Path | None, others: Sequence[Path], metric: str) -> SeedScatter | None:
    """Return the scatter of the given experiment, or of the first other one that shows it.

    Args:
        earlier: folder that the user gave; None if none was given.
        others: folders of experiments with the study's own objective; those that do not exist are skipped.
        metric: the objective.

    Returns:
        None if no experiment is given, and no other one has an arm with two completed seeds.

    Raises:
        ConfigError: the given experiment has another objective, or no arm with two completed seeds.
        RunFolderError: a folder's files are damaged.
    """
    if earlier is None:
        return next((found for folder in others if (folder / LOG).exists() and (found := read_scatter(folder))), None)
    if not (earlier / EXPERIMENT).is_file() or not (earlier / LOG).is_file():
        raise ConfigError(f"--from must be the folder of an experiment, with {EXPERIMENT} and {LOG}; got {earlier}")
    objective = describe_experiment(earlier).objective
    if objective != metric:
        raise ConfigError(f"--from must be an experiment whose objective is {metric}; that of {earlier} is {objective}")
    scatter = read_scatter(earlier)
    if scatter is None:
        raise ConfigError(f"--from must be an experiment with an arm that completed two seeds; {earlier} has none")
    return scatter


def read_scatter(folder: Path) -> SeedScatter | None:
    """Return the scatter of an experiment's objective; None if no arm has completed two seeds.

    Controls are left out, since their runs depend on those of their parents.

    Raises:
        RunFolderError: its files are damaged.
    """
    state = fold_events(read_events(folder / LOG), describe_experiment(folder).mode)
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for trial in state.trials.values():
        is_repeated = not trial.study and trial.matched is None
        if is_repeated and trial.state == "completed" and trial.value is not None and math.isfinite(trial.value):
            values[trial.arm, state.version(trial)][trial.seed] = trial.value
    arms = [by_seed for by_seed in values.values() if len(by_seed) > 1]
    if not arms:
        return None
    return SeedScatter(deviation=pooled_deviation(arms), arms=len(arms), runs=sum(map(len, arms)), source=folder)


def pooled_deviation(arms: Sequence[Mapping[int, float]]) -> float:
    """Return the standard deviation of one run: pooled over the differences of all pairs of arms, divided by sqrt(2).

    Without missing runs this is the residual of arms x seeds after the means of both were subtracted.
    """
    squares, degrees = 0.0, 0
    for first, second in combinations(arms, 2):
        shared = sorted(first.keys() & second.keys())
        if len(shared) > 1:
            differences = np.array([first[seed] - second[seed] for seed in shared])
            squares += float(((differences - differences.mean()) ** 2).sum()) / 2
            degrees += len(shared) - 1
    if not degrees:
        for arm in arms:
            single = np.array(list(arm.values()))
            squares += float(((single - single.mean()) ** 2).sum())
            degrees += len(single) - 1
    return math.sqrt(squares / degrees)
