"""Search methods compared over common seeds: means, intervals and paired differences."""

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
from sleep_tune.simulation.methods import REFERENCE, SearchMethod
from sleep_tune.simulation.rank_agreement import RankAgreement, rank_agreement
from sleep_tune.simulation.simulated_search import SearchResult, Setup, simulate_search

__all__ = ["Interval", "MethodComparison", "MethodRow", "mean_interval", "run_comparison", "summarise"]


@dataclass(frozen=True, slots=True)
class MethodComparison:
    """The methods, sources of curves and seeds of a comparison."""

    methods: tuple[SearchMethod, ...]
    sources: tuple[Source, ...]
    seeds: tuple[int, ...]
    setup: Setup

    def shares(self, source: Source) -> tuple[float, ...]:
        """Return the shares of the budget at which any method has a rung, and 1.

        Raises:
            ConfigError: one of them lies before the source's first evaluation.
        """
        first = source.landscape(0).first_share
        for method in self.methods:
            rungs = rungs_of(method.space.scheduler)
            if rungs and rungs[0] < first - 1e-9:
                raise ConfigError(
                    f"{method.name}: the first rung must be at {first:.0%} of the budget or later, where the curves "
                    f"{source.name} begin; got {rungs[0]:.0%}"
                )
        return tuple(sorted({share for method in self.methods for share in rungs_of(method.space.scheduler)} | {1.0}))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds and half its 95% interval (Student's t); infinite with one seed."""

    mean: float
    half: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """One method over one source of curves."""

    curves: str
    method: str
    seeds: int
    regrets: tuple[Interval, ...]
    """At each mark of the cost."""
    differences: tuple[Interval, ...] | None
    """Regret minus that of the reference, paired over seeds; None for the reference itself."""
    trials: float
    """Mean number of trials started."""
    lost: float
    """Share of searches that stopped a trial which is better at the end than their choice."""
    idle: float


def run_comparison(
    comparison: MethodComparison, *, processes: int = 1, advance: Callable[[int], None] = lambda searches: None
) -> tuple[list[SearchResult], dict[str, list[RankAgreement]]]:
    """Run every method over every source and seed.

    Args:
        comparison: methods, sources, seeds.
        processes: number of processes; the result does not depend on it.
        advance: called with the number of searches that have ended since the last call.

    Returns:
        The result of each search; and for each source the mean rank correlation of each share with the end.
    """
    for source in comparison.sources:
        comparison.shares(source)
    tasks = [(comparison, source, seed) for source in comparison.sources for seed in comparison.seeds]
    found: list[SearchResult] = []
    agreements: dict[str, list[list[RankAgreement]]] = {source.name: [] for source in comparison.sources}
    for (_, source, _), (searches, agreed) in zip(tasks, _map(tasks, processes), strict=True):
        found += searches
        agreements[source.name].append(agreed)
        advance(len(searches))
    return found, {name: [_mean(at) for at in zip(*seeds, strict=True)] for name, seeds in agreements.items()}


def summarise(found: Sequence[SearchResult], marks: int) -> list[MethodRow]:
    """Return a row for each method and source of curves, in the order of `found`."""
    rows = []
    for curves, results in itertools.groupby(found, key=lambda one: one.curves):
        by_method: dict[str, list[SearchResult]] = {}
        for one in results:
            by_method.setdefault(one.method, []).append(one)
        reference = {one.seed: one.regrets for one in by_method[REFERENCE]}
        for method, searches in by_method.items():
            rows.append(
                MethodRow(
                    curves=curves,
                    method=method,
                    seeds=len(searches),
                    regrets=tuple(mean_interval([one.regrets[mark] for one in searches]) for mark in range(marks)),
                    differences=None
                    if method == REFERENCE
                    else tuple(
                        mean_interval([one.regrets[mark] - reference[one.seed][mark] for one in searches])
                        for mark in range(marks)
                    ),
                    trials=float(np.mean([one.trials for one in searches])),
                    lost=float(np.mean([one.lost for one in searches])),
                    idle=float(np.mean([one.idle for one in searches])),
                )
            )
    return rows


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent values and half its 95% interval."""
    num = len(values)
    if num < 2:
        return Interval(float(np.mean(values)), math.inf)
    half = stdtrit(num - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(num)
    return Interval(float(np.mean(values)), float(half))


def _map(
    tasks: Sequence[tuple[MethodComparison, Source, int]], processes: int
) -> Iterator[tuple[list[SearchResult], list[RankAgreement]]]:
    if processes == 1:
        yield from map(_work, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_work, tasks)


def _work(task: tuple[MethodComparison, Source, int]) -> tuple[list[SearchResult], list[RankAgreement]]:
    """Run all methods over one landscape."""
    comparison, source, seed = task
    landscape = source.landscape(seed)
    best = landscape.truth(best_settings(landscape))
    found = [simulate_search(method, landscape, best, seed, comparison.setup) for method in comparison.methods]
    within = next(
        (method.space.scheduler.within for method in comparison.methods if method.space.scheduler.within), None
    )
    return found, rank_agreement(landscape, comparison.shares(source), seed, within)


def _mean(seeds: Sequence[RankAgreement]) -> RankAgreement:
    within = [one.within for one in seeds if one.within is not None]
    tau = float(np.mean([one.tau for one in seeds]))
    return RankAgreement(seeds[0].share, tau, float(np.mean(within)) if within else None)
