"""Bayesian optimisation with a Gaussian process whose values are noisy (Optuna's GPSampler), under early stopping too.

Optuna's sampler learns from completed trials only, and only about parameters that all of them have. Here it learns
from stopped trials as well, by an estimate of the value that they would have had at their end, and about every
parameter: one that is not active has the value in the middle of its domain (as in Levesque et al., "Bayesian
Optimization for Conditional Hyperparameter Spaces", IJCNN 2017).

torch is imported at the first proposal that is not random.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from sleep_tune.search.decide.trial_storage import TrialStorage
from sleep_tune.search.space.domains import value_at
from sleep_tune.search.space.search_space import Parameter

__all__ = ["GROUP", "NoisyGPSampler", "estimate_ends"]

GROUP = "group"
"""Name of the attribute of a trial that holds the group in which it is compared at rungs."""


class NoisyGPSampler(GPSampler):
    """Optuna's GPSampler, which learns from stopped trials and from conditional parameters too.

    Args:
        seed: of this sampler.
        startup: number of ended trials before it learns from them; until then it draws at random.
        parameters: searched.
        distributions: of each parameter, by key.
        trials: completed, stopped and running ones.
        direction: of the objective.
    """

    def __init__(
        self,
        *,
        seed: int,
        startup: int,
        parameters: Sequence[Parameter],
        distributions: Mapping[str, BaseDistribution],
        trials: Collection[FrozenTrial],
        direction: StudyDirection,
    ) -> None:
        super().__init__(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        self._several = {key: found for key, found in distributions.items() if not found.single()}
        self._middle = {parameter.key: value_at(parameter.domain, 0.5) for parameter in parameters}
        self._direction = direction
        self._ends = estimate_ends(trials, direction)
        self._trials = trials

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return every parameter that has more than one value."""
        return self._several

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose values of all these parameters together."""
        storage = TrialStorage()
        name = optuna.create_study(storage=storage, direction=self._direction).study_name
        storage.create_new_trial(storage.get_study_id_from_name(name))  # Optuna notes its proposal in it
        for known in self._trials:
            if known.number in self._ends or known.state == OptunaState.RUNNING:
                storage.trials_by_id[str(known.number)] = self._filled_in(known)
        return dict(super().sample_relative(optuna.load_study(study_name=name, storage=storage), trial, search_space))

    def _filled_in(self, known: FrozenTrial) -> FrozenTrial:
        """Return a trial with a value for every parameter, and its value at the end."""
        end = self._ends.get(known.number)
        return FrozenTrial(
            number=known.number,
            trial_id=known.number,
            state=OptunaState.RUNNING if end is None else OptunaState.COMPLETE,
            value=end,
            datetime_start=None,
            datetime_complete=None,
            params={key: known.params.get(key, self._middle[key]) for key in self._several},
            distributions=self._several,
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )


def estimate_ends(trials: Collection[FrozenTrial], direction: StudyDirection) -> dict[int, float]:
    """Return the value at the end of each trial that has ended, by number.

    A completed trial has its own. A trial that was stopped at a rung has its value there, moved by the median change
    from this rung to the end of the completed trials of its group that reported there; of any group, if none of its
    own did. Settings that cannot be trained have the worst value of all. As long as no trial was completed after a
    stopped one's rung, the stopped one is left out.
    """
    completed = [trial for trial in trials if trial.state == OptunaState.COMPLETE]
    ends = {trial.number: trial.values[0] for trial in completed}
    for trial in trials:
        if trial.state == OptunaState.PRUNED and trial.intermediate_values and not _is_impossible(trial):
            rung = max(trial.intermediate_values)
            reached = [other for other in completed if rung in other.intermediate_values]
            own = [other for other in reached if other.user_attrs.get(GROUP) == trial.user_attrs.get(GROUP)]
            changes = [other.values[0] - other.intermediate_values[rung] for other in own or reached]
            if changes:
                ends[trial.number] = trial.intermediate_values[rung] + median(changes)
    pick: Callable[..., float] = max if direction == StudyDirection.MINIMIZE else min
    worst = pick(ends.values(), default=0.0)
    impossible = [trial.number for trial in trials if trial.state == OptunaState.PRUNED and _is_impossible(trial)]
    return ends | dict.fromkeys(impossible, worst)


def _is_impossible(trial: FrozenTrial) -> bool:
    return any(not math.isfinite(value) for value in trial.intermediate_values.values())
