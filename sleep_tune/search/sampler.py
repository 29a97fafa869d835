"""Who proposes settings: Optuna's samplers, one for each ask. Knows settings and values; nothing of budgets or logs.

Optuna 5's own loop would make a resumed search differ from an uninterrupted one (its generator's state is lost), so
every ask has a sampler of its own, seeded by the search's seed and the number of the ask. What it has learnt is
rebuilt by telling it again.

Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NeurIPS 2011), in Optuna's multivariate form.
"""

import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, create_trial
from optuna.trial import TrialState as OptunaState

from sleep_tune.search.space import Choice, Domain, Int, LogUniform, Parameter, Uniform, Value, active

__all__ = ["SAMPLERS", "Sampler"]


def _random(seed: int, startup: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _tpe(seed: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)


SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {"random": _random, "tpe": _tpe}
"""Name -> function(seed, startup trials) that makes the sampler of one ask."""


class Sampler:
    """What has been tried, and what to try next.

    Args:
        parameters: in an order in which those that `when` names come first.
        algorithm: a name of `SAMPLERS`.
        mode: 'min' or 'max'.
        seed: with the number of an ask it seeds that ask.
        startup: trials that must have ended before tpe learns from them.
    """

    def __init__(
        self, parameters: tuple[Parameter, ...], *, algorithm: str, mode: str, seed: int, startup: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._parameters = parameters
        self._algorithm = algorithm
        self._seed = seed
        self._startup = startup
        self._study = optuna.create_study(direction="minimize" if mode == "min" else "maximize")
        self._trials: dict[str, Trial] = {}

    def ask(self, number: int, *, explore: bool = False) -> dict[str, Value]:
        """Propose settings. The same history and number propose the same ones, and nothing is remembered.

        Args:
            number: of the ask, from 0.
            explore: draw at random, whatever has been learnt.
        """
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self._study.sampler = SAMPLERS["random" if explore else self._algorithm](seed, self._startup)
        trial = self._study.ask()
        settings = self._suggest(trial)
        self._study.tell(trial, state=OptunaState.FAIL)  # a failed trial is passed over by every sampler
        return settings

    def add(self, trial: str, settings: Mapping[str, Value]) -> None:
        """Remember that `trial` is being trained with these settings."""
        self._study.sampler = RandomSampler(seed=0)  # draws nothing: every value is given
        self._study.enqueue_trial(dict(settings))
        asked = self._study.ask()
        taken = self._suggest(asked)
        assert taken == dict(settings), (taken, settings)
        self._trials[trial] = asked

    def tell_completed(self, trial: str, value: float) -> FrozenTrial:
        """The trial spent its budget; `value` is its objective, finite."""
        return self._study.tell(self._trials[trial], value)

    def tell_stopped(self, trial: str, rungs: Mapping[int, float]) -> FrozenTrial:
        """The trial was stopped at the last of these rungs (nominal words -> objective)."""
        if any(not math.isfinite(value) for value in rungs.values()):
            return self.tell_impossible(trial)
        asked = self._trials[trial]
        for words, value in rungs.items():
            asked.report(value, words)
        return self._study.tell(asked, state=OptunaState.PRUNED)

    def tell_impossible(self, trial: str) -> FrozenTrial:
        """The settings cannot be trained: worse than any that was stopped at a rung.

        Told as pruned with a NaN at step 0. Were it told as failed, tpe would pass over it and sample there again; at
        a later step it would count as better than a trial stopped before that.
        """
        asked = self._trials[trial]
        asked.report(math.nan, 0)
        return self._study.tell(asked, state=OptunaState.PRUNED)

    def tell_nothing(self, trial: str) -> FrozenTrial:
        """The trial says nothing about its settings: its machine failed, or it repeats another."""
        return self._study.tell(self._trials[trial], state=OptunaState.FAIL)

    def _suggest(self, trial: Trial) -> dict[str, Value]:
        settings: dict[str, Value] = {}
        for parameter in self._parameters:
            if active(parameter, settings):
                settings[parameter.key] = _suggest(trial, parameter.key, parameter.domain)
        return settings


def _suggest(trial: Trial, key: str, domain: Domain) -> Value:
    match domain:
        case Choice(values):
            chosen: Value = trial.suggest_categorical(key, values)
            return chosen
        case Uniform(low, high):
            return float(trial.suggest_float(key, low, high))
        case LogUniform(low, high):
            return float(trial.suggest_float(key, low, high, log=True))
        case Int(low, high):
            return int(trial.suggest_int(key, low, high))


def frozen(parameters: tuple[Parameter, ...], trial: FrozenTrial) -> FrozenTrial:
    """A copy of an ended trial that another study can take in."""
    known = {parameter.key: _distribution(parameter.domain) for parameter in parameters}
    return create_trial(
        state=trial.state,
        value=trial.value,
        params=trial.params,
        distributions={key: known[key] for key in trial.params},
        intermediate_values=trial.intermediate_values,
    )


def _distribution(domain: Domain) -> BaseDistribution:
    match domain:
        case Choice(values):
            return CategoricalDistribution(values)
        case Uniform(low, high):
            return FloatDistribution(low, high)
        case LogUniform(low, high):
            return FloatDistribution(low, high, log=True)
        case Int(low, high):
            return IntDistribution(low, high)
