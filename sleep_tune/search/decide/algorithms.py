"""The algorithms that propose settings: a table of functions that make the sampler of one ask.

Sources: Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NeurIPS 2011), in Optuna's multivariate form.
Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals" (1967), with Owen's
scrambling, in scipy.
"""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.decide.gp_sampler import NoisyGPSampler
from sleep_tune.search.space.domains import value_at
from sleep_tune.search.space.search_space import Parameter

__all__ = ["SAMPLERS", "Ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One ask for settings: all that they may depend on."""

    number: int
    """Of the ask, from 0."""
    search_seed: int
    startup: int
    """Number of ended trials before an algorithm learns from them."""
    parameters: tuple[Parameter, ...]
    distributions: Mapping[str, BaseDistribution]
    direction: StudyDirection
    trials: Collection[FrozenTrial]
    """Trials so far, in the order in which they were asked for."""

    @property
    def seed(self) -> int:
        """Random seed of this ask."""
        return int(np.random.SeedSequence([self.search_seed, self.number]).generate_state(1)[0])


class SobolSampler(BaseSampler):
    """Proposes the point of a scrambled Sobol sequence that has the number of the ask.

    It learns nothing. The points of any number of asks cover the space more evenly than random ones. The sequence has a
    dimension for each parameter, also where it is not active.
    """

    def __init__(self, ask: Ask) -> None:
        from scipy.stats import qmc

        engine = qmc.Sobol(len(ask.parameters), scramble=True, seed=np.random.default_rng(ask.search_seed))
        if ask.number:  # scipy cannot skip 0 points
            engine.fast_forward(ask.number)
        share_P = engine.random(1)[0]
        self._point = {
            parameter.key: value_at(parameter.domain, float(share))
            for parameter, share in zip(ask.parameters, share_P, strict=True)
        }

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return no parameters: each has its own coordinate of the point."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return no values."""
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Value:
        """Return the point's value of a parameter."""
        return self._point[name]


def _random(ask: Ask) -> BaseSampler:
    return RandomSampler(seed=ask.seed)


def _tpe(ask: Ask) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            seed=ask.seed, n_startup_trials=ask.startup, multivariate=True, group=True, constant_liar=True
        )


def _gp(ask: Ask) -> BaseSampler:
    return NoisyGPSampler(
        seed=ask.seed,
        startup=ask.startup,
        parameters=ask.parameters,
        distributions=ask.distributions,
        trials=ask.trials,
        direction=ask.direction,
    )


SAMPLERS: dict[str, Callable[[Ask], BaseSampler]] = {
    "gp": _gp,
    "grid": _random,
    "qmc": SobolSampler,
    "random": _random,
    "tpe": _tpe,
}
"""Name -> function(ask) that makes the sampler of one ask.

The points of a grid are listed (`Grid`); for one, a sampler only fills in what a point of `enqueue` leaves out.
"""
