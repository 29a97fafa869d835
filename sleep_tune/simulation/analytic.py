"""Analytic learning curves over any search space: power laws that may cross, with noise that is larger early.

Each seed gives another landscape.

A run's loss at the share s of its budget is  end + GAP (s^-rate - 1) + noise: a power law in the length of training, as
measured for language models (Kaplan et al., "Scaling Laws for Neural Language Models", 2020) and used to extrapolate
learning curves (`pow` of Domhan et al., "Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks by
Extrapolation of Learning Curves", IJCAI 2015). `end` and `rate` are smooth random functions of the settings,
independent of each other: where rates differ, curves cross.
"""

from collections.abc import Callable, Sequence

import numpy as np

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.search_space import Choice, Parameter
from sleep_tune.simulation.landscape import Landscape, run_noise
from sleep_tune.simulation.points import Settings, coordinates, draw, is_ordered

__all__ = ["ANALYTIC", "power_laws"]

FLOOR = 3.0
"""The loss at the end of an average setting, in nats."""

SPREAD = 0.1
"""Standard deviation of the end over random settings, in nats."""

GAP, RATE = 1.0, 0.35
"""The scale of the power law in nats, and its exponent for an average setting."""

NOISE = 0.02
"""Standard deviation over seeds, in nats, constant over a run."""

EARLY_NOISE = 0.04
"""Standard deviation of further noise at the start of the budget, in nats; it falls linearly to 0 at the end."""

UNREAD = 0.2
"""Increase of the loss if nothing of the corpus has been read, in nats (`one_pass`)."""

PASSES = "sleep.length.passes"

Field = Callable[[Settings], float]
"""A smooth function of the settings; over random ones it has mean 0 and standard deviation 1."""


def power_laws(name: str, parameters: tuple[Parameter, ...], seed: int, *, crossing: float, unread: float) -> Landscape:
    """Return a landscape of power laws.

    Args:
        name: name of the landscape.
        parameters: of the search space.
        seed: of the landscape.
        crossing: relative spread of the exponent over settings; at 0 no two curves cross.
        unread: increase of the loss if nothing has been read, in nats. Above 0, runs of fewer passes start worse,
            since at the share s of its budget a run of P passes has read P x s of the corpus awake; and they end
            better, by one SPREAD from the most passes to the fewest.

    Raises:
        ConfigError: `unread` is above 0 and the space does not search the number of passes.
    """
    if unread and all(parameter.key != PASSES for parameter in parameters):
        raise ConfigError(f"curves {name}: the space must search {PASSES}; got none")
    ends = _field(parameters, np.random.default_rng([seed, 0]))
    rates = _field(parameters, np.random.default_rng([seed, 1]))
    passes_at = [parameter.key for parameter in parameters].index(PASSES) if unread else None

    def truth(settings: Settings) -> float:
        end = FLOOR + SPREAD * ends(settings)
        if passes_at is None:
            return end
        return end + SPREAD * (float(coordinates(parameters, settings)[passes_at]) - 0.5)

    def curve(settings: Settings, run_seed: int, share: float) -> float:
        rate = RATE * np.exp(crossing * rates(settings))
        loss = truth(settings) + GAP * (share**-rate - 1)
        if unread:
            passes = settings[PASSES]
            assert isinstance(passes, int | float)
            loss += unread * max(0.0, 1 - passes * share)
        loss += NOISE * run_noise(settings, run_seed) + EARLY_NOISE * (1 - share) * run_noise(settings, run_seed, share)
        return float(loss)

    return Landscape(name, parameters, truth, curve)


ANALYTIC: dict[str, Callable[[tuple[Parameter, ...], int], Landscape]] = {
    "parallel": lambda parameters, seed: power_laws("parallel", parameters, seed, crossing=0.0, unread=0.0),
    "crossing": lambda parameters, seed: power_laws("crossing", parameters, seed, crossing=0.15, unread=0.0),
    "tangled": lambda parameters, seed: power_laws("tangled", parameters, seed, crossing=0.4, unread=0.0),
    "one_pass": lambda parameters, seed: power_laws("one_pass", parameters, seed, crossing=0.15, unread=UNREAD),
}
"""Name -> function(parameters, seed) to a landscape: curves that never cross; that cross; that cross so much that early
ranks hardly predict final ones; that cross, and those of few passes start worse and end better."""


def _field(parameters: Sequence[Parameter], rng: np.random.Generator) -> Field:
    """Return a random field: a parabola along each ordered parameter, a level for each name, products of pairs."""
    num = len(parameters)
    levels = [rng.normal(size=_num_names(parameter)) for parameter in parameters]
    ordered = np.array([is_ordered(parameter.domain) for parameter in parameters])
    bottoms = rng.uniform(0.1, 0.9, num)
    weights = rng.lognormal(0.0, 0.5, num)
    pairs = np.triu(rng.normal(0.0, 1.0, (num, num)), 1)

    def raw(settings: Settings) -> float:
        at = coordinates(parameters, settings)
        is_active = ~np.isnan(at)
        bowls = np.where(ordered & is_active, weights * 4 * (at - bottoms) ** 2, 0.0)
        centred = np.where(ordered & is_active, at - 0.5, 0.0)
        steps = sum(weights[i] * levels[i][int(at[i])] for i in range(num) if is_active[i] and not ordered[i])
        return float(bowls.sum() + steps + centred @ pairs @ centred)

    sample = [raw(draw(parameters, rng)) for _ in range(256)]
    mean, deviation = float(np.mean(sample)), float(np.std(sample)) or 1.0
    return lambda settings: (raw(settings) - mean) / deviation


def _num_names(parameter: Parameter) -> int:
    return len(parameter.domain.values) if isinstance(parameter.domain, Choice) else 0
