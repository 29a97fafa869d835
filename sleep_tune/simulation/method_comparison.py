"""Many searches of each arm over common seeds: means, intervals and paired differences. Draws no tables."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from scipy.special import stdtrit

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.simulation.curves import Source
from sleep_tune.simulation.landscape import best_settings
from sleep_tune.simulation.methods import REFERENCE, Arm
from sleep_tune.simulation.rank_agreement import Foretold, foretell
from sleep_tune.simulation.simulated_search import Found, Setup, search_once

__all__ = ["Comparison", "Interval", "Row", "interval", "run_comparison", "summarise"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be compared."""

    arms: tuple[Arm, ...]
    sources: tuple[Source, ...]
    seeds: tuple[int, ...]
    setup: Setup

    def shares(self, source: Source) -> tuple[float, ...]:
        """Shares of the budget at which any arm compares trials.

        Raises:
            ConfigError: one of them lies before the source's first evaluation.
        """
        first = source.landscape(0).first_share
        for arm in self.arms:
            rungs = rungs_of(arm.space.scheduler)
            if rungs and rungs[0] < first - 1e-9:
                raise ConfigError(
                    f"{arm.name}: the first rung must be at {first:.0%} of the budget or later, where the curves "
                    f"{source.name} begin; got {rungs[0]:.0%}"
                )
        return tuple(sorted({share for arm in self.arms for share in rungs_of(arm.space.scheduler)} | {1.0}))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds and half its 95% interval (Student's t); infinite with one seed."""

    mean: float
    half: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arm over one source of curves."""

    curves: str
    arm: str
    seeds: int
    regrets: tuple[Interval, ...]
    """At each mark."""
    differences: tuple[Interval, ...] | None
    """Regret less that of the reference, paired over seeds; None for the reference itself."""
    trials: float
    """Mean number started."""
    lost: float
    """Share of searches that stopped a trial better than what they chose."""
    idle: float


def run_comparison(
    comparison: Comparison, *, processes: int = 1, advance: Callable[[int], None] = lambda searches: None
) -> tuple[list[Found], dict[str, list[Foretold]]]:
    """Every arm over every source and seed.

    Args:
        comparison: what.
        processes: that share the work; 1 does it here. The result is the same.
        advance: told how many searches have ended since it was told last.

    Returns:
        What each search found; and for each source how well each share foretells the end, on average over seeds.
    """
    for source in comparison.sources:
        comparison.shares(source)
    tasks = [(comparison, source, seed) for source in comparison.sources for seed in comparison.seeds]
    found: list[Found] = []
    foretold: dict[str, list[list[Foretold]]] = {source.name: [] for source in comparison.sources}
    for (_, source, _), (searches, told) in zip(tasks, _map(tasks, processes), strict=True):
        found += searches
        foretold[source.name].append(told)
        advance(len(searches))
    return found, {name: [_mean(at) for at in zip(*told, strict=True)] for name, told in foretold.items()}


def summarise(found: Sequence[Found], marks: int) -> list[Row]:
    """A row for each arm and source of curves, in the order in which they were searched."""
    rows = []
    for curves, all_arms in itertools.groupby(found, key=lambda one: one.curves):
        by_arm: dict[str, list[Found]] = {}
        for one in all_arms:
            by_arm.setdefault(one.arm, []).append(one)
        reference = {one.seed: one.regrets for one in by_arm[REFERENCE]}
        for arm, searches in by_arm.items():
            rows.append(
                Row(
                    curves=curves,
                    arm=arm,
                    seeds=len(searches),
                    regrets=tuple(interval([one.regrets[mark] for one in searches]) for mark in range(marks)),
                    differences=None
                    if arm == REFERENCE
                    else tuple(
                        interval([one.regrets[mark] - reference[one.seed][mark] for one in searches])
                        for mark in range(marks)
                    ),
                    trials=float(np.mean([one.trials for one in searches])),
                    lost=float(np.mean([one.lost for one in searches])),
                    idle=float(np.mean([one.idle for one in searches])),
                )
            )
    return rows


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values and half its 95% interval."""
    num = len(values)
    if num < 2:
        return Interval(float(np.mean(values)), math.inf)
    half = stdtrit(num - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(num)
    return Interval(float(np.mean(values)), float(half))


def _map(
    tasks: Sequence[tuple[Comparison, Source, int]], processes: int
) -> Iterator[tuple[list[Found], list[Foretold]]]:
    if processes == 1:
        yield from map(_work, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_work, tasks)


def _work(task: tuple[Comparison, Source, int]) -> tuple[list[Found], list[Foretold]]:
    """All arms over one landscape, of which the best is looked for once."""
    comparison, source, seed = task
    landscape = source.landscape(seed)
    best = landscape.truth(best_settings(landscape))
    found = [search_once(arm, landscape, best, seed, comparison.setup) for arm in comparison.arms]
    within = next((arm.space.scheduler.within for arm in comparison.arms if arm.space.scheduler.within), None)
    return found, foretell(landscape, comparison.shares(source), seed, within)


def _mean(told: Sequence[Foretold]) -> Foretold:
    within = [one.within for one in told if one.within is not None]
    tau = float(np.mean([one.tau for one in told]))
    return Foretold(told[0].share, tau, float(np.mean(within)) if within else None)
