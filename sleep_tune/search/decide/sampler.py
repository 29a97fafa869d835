"""Optuna's samplers, one for each ask.

Optuna 5's own loop would make a resumed search differ from an uninterrupted one, as the state of its generator is lost.
So every ask has a new sampler, seeded by the search's seed and the number of the ask, and a resumed search tells the
results of its trials again.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.decide.algorithms import SAMPLERS, Ask
from sleep_tune.search.decide.gp_sampler import GROUP
from sleep_tune.search.decide.trial_storage import TrialStorage
from sleep_tune.search.space.domains import nearest
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Parameter, Uniform, active

__all__ = ["Sampler", "direction_of"]


def direction_of(mode: str) -> StudyDirection:
    """Return Optuna's direction for 'min' or 'max'."""
    return StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE


class Sampler:
    """Proposes settings, and learns from the results of trials.

    Args:
        parameters: searched; those that a `when` names come before the parameters that depend on them.
        algorithm: a name of `SAMPLERS`.
        mode: 'min' or 'max'.
        seed: each ask is seeded by it and the number of the ask.
        startup: number of ended trials before an algorithm learns from them.
    """

    def __init__(
        self, parameters: tuple[Parameter, ...], *, algorithm: str, mode: str, seed: int, startup: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # gp warns where it is slower without greenlet
        self._parameters = parameters
        self._distributions = {parameter.key: _distribution(parameter.domain) for parameter in parameters}
        self._known: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}
        self._algorithm = algorithm
        self._seed = seed
        self._startup = startup
        self._direction = direction_of(mode)
        self._storage = TrialStorage()
        self._name = optuna.create_study(storage=self._storage, direction=self._direction).study_name
        self._asking = self._storage.create_new_trial(self._storage.get_study_id_from_name(self._name))
        """The trial that every ask is for; Optuna's samplers do not learn from it."""

    def ask(
        self, number: int, *, explore: bool = False, fixed: Mapping[str, Value] = MappingProxyType({})
    ) -> dict[str, Value]:
        """Propose settings. The same results and number give the same settings, and the sampler does not change.

        Args:
            number: of the ask, from 0.
            explore: draw at random, without learning from results.
            fixed: given values; the sampler proposes the others.
        """
        asked = Ask(
            number=number,
            search_seed=self._seed,
            startup=self._startup,
            parameters=self._parameters,
            distributions=self._distributions,
            direction=self._direction,
            trials=self._storage.trials_by_id.values(),
        )
        sampler = SAMPLERS["random" if explore else self._algorithm](asked)
        # A new study each time, as it would cache the trials that it has read.
        study = optuna.load_study(study_name=self._name, storage=self._storage, sampler=sampler)
        trial = self._storage.get_trial(self._asking)
        space = sampler.infer_relative_search_space(study, trial)
        joint = sampler.sample_relative(study, trial, space)
        settings: dict[str, Value] = {}
        for parameter in self._parameters:
            key = parameter.key
            if not active(parameter, settings):
                continue
            if key in fixed:
                settings[key] = fixed[key]
            elif isinstance(parameter.domain, Choice) and len(parameter.domain.values) == 1:
                settings[key] = parameter.domain.values[0]
            else:
                alone = key not in joint
                drawn = sampler.sample_independent(study, trial, key, self._distributions[key]) if alone else joint[key]
                settings[key] = _plain(parameter.domain, drawn)
        return settings

    def add(self, trial: str, settings: Mapping[str, Value], group: str = "") -> None:
        """Add a trial that is being trained with these settings, and is compared at rungs within this group."""
        number = len(self._storage.trials_by_id) + 1  # 0 is the trial that asks
        self._storage.trials_by_id[trial] = FrozenTrial(
            number=number,
            trial_id=number,
            state=OptunaState.RUNNING,
            value=None,
            datetime_start=None,
            datetime_complete=None,
            params=dict(settings),
            distributions=self._of(tuple(settings)),
            user_attrs={GROUP: group},
            system_attrs={},
            intermediate_values={},
        )

    def tell_completed(self, trial: str, value: float, rungs: Mapping[int, float] = MappingProxyType({})) -> None:
        """Tell that a trial was completed.

        Args:
            trial: its id.
            value: its objective, finite.
            rungs: objective at the rungs that it passed (by nominal words).
        """
        known = self._storage.trials_by_id[trial]
        known.intermediate_values.update({rung: each for rung, each in rungs.items() if math.isfinite(each)})
        known.state, known.value = OptunaState.COMPLETE, value

    def tell_stopped(self, trial: str, rungs: Mapping[int, float]) -> None:
        """Tell that a trial was pruned at the last of these rungs (nominal words -> objective)."""
        if any(not math.isfinite(value) for value in rungs.values()):
            self.tell_impossible(trial)
            return
        known = self._storage.trials_by_id[trial]
        known.intermediate_values.update(rungs)
        known.state, known.value = OptunaState.PRUNED, rungs[max(rungs)] if rungs else None

    def tell_impossible(self, trial: str) -> None:
        """Tell that settings cannot be trained: they are worse than any that were pruned at a rung.

        For Optuna the trial was pruned with a NaN at step 0. If it had failed, tpe would ignore it and sample there
        again; at a later step it would count as better than trials that were pruned before that step.
        """
        known = self._storage.trials_by_id[trial]
        known.intermediate_values = {0: math.nan}  # without what it was worth where it had paused
        known.state, known.value = OptunaState.PRUNED, None

    def tell_nothing(self, trial: str) -> None:
        """Tell that a trial gives no information on its settings: its machine failed, or it repeats another trial."""
        known = self._storage.trials_by_id[trial]
        known.state, known.value = OptunaState.FAIL, None

    def copy(self, trial: str) -> FrozenTrial:
        """Return a copy of an ended trial, for another Optuna study."""
        known = self._storage.trials_by_id[trial]
        return create_trial(
            state=known.state,
            value=known.value,
            params=known.params,
            distributions=known.distributions,
            intermediate_values=known.intermediate_values,
        )

    def _of(self, keys: tuple[str, ...]) -> dict[str, BaseDistribution]:
        """Return the distributions of these parameters: one dictionary for all trials that have them."""
        if keys not in self._known:
            self._known[keys] = {key: self._distributions[key] for key in keys}
        return self._known[keys]


def _plain(domain: Domain, value: Any) -> Value:
    """Return a value that Optuna drew, without numpy's types, and on a step exactly."""
    if isinstance(domain, Choice):
        chosen: Value = value
        return chosen
    return nearest(domain, value)


def _distribution(domain: Domain) -> BaseDistribution:
    match domain:
        case Choice(values):
            return CategoricalDistribution(values)
        case Uniform(low, high, step):
            return FloatDistribution(low, high, step=step)
        case LogUniform(low, high):
            return FloatDistribution(low, high, log=True)
        case Int(low, high, step, log):
            return IntDistribution(low, high, log=log, step=step)
