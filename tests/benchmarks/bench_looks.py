"""False claims under ways of looking at a study and growing it, and the runs that planned looks save.

`python tests/benchmarks/bench_looks.py [TABLES] > tests/benchmarks/bench_looks.txt`

All tables are computed at once, from the law of the looks and the always-valid evidence; for the first ones this is
checked against `sequential_difference`. Stops for futility are those of `conditional_power`.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import nctdtr, stdtr, stdtrit

from sleep_tune.statistics.always_valid import log_evidence
from sleep_tune.statistics.conditional_power import FUTILE, conditional_power
from sleep_tune.statistics.group_sequential import PlannedLaw, planned_law
from sleep_tune.statistics.schedule import LEVEL, Schedule
from sleep_tune.statistics.sequential import sequential_difference

Reals = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Reals]

ARMS, MOST = 4, 20
"""Three finalists and a control; seeds to which a study grows."""

LOOKS = (5, 8, 12)
FEW = 1000
"""Tables where runs are counted: conditional power takes some milliseconds."""

PLANS = (Schedule(LOOKS), Schedule((5,)))

WORLDS: dict[str, Draw] = {
    "normal, sd 0.01": lambda rng, shape: 0.01 * rng.standard_normal(shape),
    "normal, sd 1": lambda rng, shape: rng.standard_normal(shape),
    "normal, sd 100": lambda rng, shape: 100 * rng.standard_normal(shape),
    "lognormal, sigma 0.5": lambda rng, shape: np.exp(0.5 * rng.standard_normal(shape)) - np.exp(0.125),
    "lognormal, sigma 1": lambda rng, shape: np.exp(rng.standard_normal(shape)) - np.exp(0.5),
}
"""Distributions of paired differences with mean 0."""

SEEN: dict[str, tuple[Schedule | None, Sequence[int]]] = {
    "t test at 5 seeds": (None, (5,)),
    "t test at 5, 8, 12": (None, LOOKS),
    "t test at every number, 3 to 20": (None, range(3, MOST + 1)),
    "planned 5": (PLANS[1], (5,)),
    "planned 5, then to 20, each seed seen": (PLANS[1], range(5, MOST + 1)),
    "planned 5, each seed seen, 2 to 20": (PLANS[1], range(2, MOST + 1)),
    "planned 5, 8, 12": (PLANS[0], LOOKS),
    "planned 5, 8, 12, each seed seen": (PLANS[0], range(2, LOOKS[-1] + 1)),
    "planned 5, 8, 12, then to 20, each seed seen": (PLANS[0], range(2, MOST + 1)),
}
"""Way of looking -> the plan (None: p of a fixed number of seeds) and the numbers of seeds at which a table is read."""


def t_p(values: Reals) -> Reals:
    """Return the two-sided p of t tests over the last axis."""
    seeds = values.shape[-1]
    t = values.mean(axis=-1) / (values.std(axis=-1, ddof=1) / np.sqrt(seeds))
    return np.asarray(2 * stdtr(seeds - 1, -np.abs(t)))


def planned_bounds(schedule: Schedule) -> PlannedLaw:
    """Return the law of a schedule of which no seed is lost."""
    return planned_law(schedule.looks, schedule.increments)


def evidence_p(values: Reals, schedule: Schedule | None, seeds: int) -> Reals:
    """Return p of tables that are made when so many of the seeds on the last axis have ended."""
    if schedule is None:
        return t_p(values[..., :seeds])
    law, found = planned_bounds(schedule), [np.ones(values.shape[:-1])]
    for look, count in enumerate(schedule.looks):
        if count <= seeds:
            nominal = t_p(values[..., :count])
            found.append(nominal * np.interp(nominal, *law.bounds[look]) / law.increments[look])
    first = schedule.looks[0] if seeds >= schedule.looks[0] else 0
    if seeds > first:
        evidence = log_evidence(values[..., :seeds])[..., first:].max(axis=-1)
        found.append(np.exp(-evidence) * schedule.level / schedule.growth_level)
    return np.asarray(np.min(found, axis=0))


def check(values: Reals) -> None:
    """Compare with the product's p for (N, n) values."""
    for row in values:
        for schedule, seeds in ((PLANS[0], 4), (PLANS[0], 10), (PLANS[0], 16), (PLANS[1], 5), (PLANS[1], 9)):
            looks = [int(look) + 1 for look in np.searchsorted(schedule.looks, np.arange(seeds), side="right")]
            complete = int(np.searchsorted(schedule.looks, seeds, side="right"))
            p = sequential_difference(row[:seeds], looks, schedule, complete).difference.p
            assert np.isclose(float(evidence_p(row, schedule, seeds)), p or 0.0, rtol=1e-9)


def false_claims(draw: Draw, tables: int, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Return for each way of looking the share of tables with a false claim, of one arm and after Holm's correction.

    Holm's correction claims something just where the smallest p is below level / arms.
    """
    values = draw(rng, (tables, ARMS, MOST))
    check(values[:50, 0])
    shares = {}
    for name, (schedule, numbers) in SEEN.items():
        level = schedule.level if schedule else LEVEL
        least = np.min([evidence_p(values, schedule, seeds) for seeds in numbers], axis=0)
        shares[name] = (float((least[:, 0] < level).mean()), float((least.min(axis=1) < level / ARMS).mean()))
    return shares


def fixed_power(seeds: float, effect: float, level: float) -> float:
    """Return the power of the paired t test to find a positive effect, in units of the paired sd, at a fixed number."""
    bound, centre = stdtrit(seeds - 1, 1 - level / 2), effect * np.sqrt(seeds)
    return 1 - float(nctdtr(seeds - 1, centre, bound))


def equal_power(power: float, effect: float, level: float) -> float:
    """Return the fixed number of seeds, not an integer, with this power; at most 99.9% is asked for."""
    wanted = min(power, 0.999)
    return float(brentq(lambda seeds: fixed_power(seeds, effect, level) - wanted, 2.0, 40.0))


def sequential_runs(effect: float, tests: int, tables: int, *, futile: bool) -> tuple[float, float]:
    """Return power and mean number of seeds of one arm under PLANS[0], stopped when decided or futile."""
    schedule, law = PLANS[0], planned_bounds(PLANS[0])
    values = np.random.default_rng(7).standard_normal((tables, LOOKS[-1])) + effect
    running, won, seeds = np.ones(tables, dtype=bool), np.zeros(tables, dtype=bool), np.zeros(tables)
    for complete, count in enumerate(LOOKS, 1):
        seeds[running] = count
        decided = running & (t_p(values[:, :count]) < law.nominal(complete - 1, schedule.level / tests))
        won |= decided
        running &= ~decided
        if futile and count < LOOKS[-1]:
            looks = [int(look) + 1 for look in np.searchsorted(LOOKS, np.arange(count), side="right")]
            for row in np.flatnonzero(running):
                power = conditional_power(values[row, :count], looks, schedule, complete, tests=tests)
                running[row] = power >= FUTILE
    return float(won.mean()), float(seeds.mean())


def main(tables: int) -> None:
    """Simulate and print."""
    print(
        f"false claims: {tables:,} tables of each distribution without a true difference; a claim in any table that is"
    )
    print(f"read counts. one: one arm; Holm: any of {ARMS} independent arms. Level: {LEVEL} for the t test, else 0.045")
    print("way of looking".ljust(46), *(f"{name:>22}" for name in WORLDS))
    print(" " * 46, *(f"{'one':>12} {'Holm':>9}" for _ in WORLDS))
    by_world = [false_claims(draw, tables, np.random.default_rng(n)) for n, draw in enumerate(WORLDS.values())]
    for name in SEEN:
        print(name.ljust(46), *(f"{100 * made[name][0]:11.1f}% {100 * made[name][1]:8.1f}%" for made in by_world))
    print(
        "\nruns saved: true difference of 2 points, looks 5, 8, 12 with a reserve of 0.1, against the fixed number of"
    )
    print(f"seeds with the same power, 99.9% at most, at level {LEVEL}. Per arm, {FEW:,} tables")
    print("tests  paired sd  futility  power  mean seeds  fixed seeds  saved")
    for tests in (1, ARMS):
        for deviation in (0.5, 0.7, 1.0, 1.4):
            for futile in (False, True):
                power, mean = sequential_runs(2 / deviation, tests, FEW, futile=futile)
                fixed = equal_power(power, 2 / deviation, LEVEL / tests)
                stop = "yes" if futile else "no"
                cells = f"{power:>5.1%}  {mean:10.1f}  {fixed:11.1f}  {1 - mean / fixed:5.0%}"
                print(f"{tests:5}  {deviation:9}  {stop:>8}  {cells}")
    print("\nno true difference, against the 12 seeds of the last look")
    print("tests  futility  claims  mean seeds  saved")
    for tests in (1, ARMS):
        for futile in (False, True):
            power, mean = sequential_runs(0.0, tests, FEW, futile=futile)
            print(f"{tests:5}  {'yes' if futile else 'no':>8}  {power:6.1%}  {mean:10.1f}  {1 - mean / 12:5.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
