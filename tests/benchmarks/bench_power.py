"""How often the comparison tells a true difference of 2 points, and one that is not there, at 3 to 20 seeds.

`python tests/benchmarks/bench_power.py [TABLES] > tests/benchmarks/bench_power.txt`

Made-up experiments (`tests/results/worlds.py`): 67 paradigms of 50 minimal pairs, an epoch baseline and arms of which
some are truly better. Every column is over the same tables, through the code that makes the comparison.
"""

import sys
import warnings

import numpy as np
from scipy.optimize import brentq

from sleep_tune.statistics.crossed_design import crossed_difference
from sleep_tune.statistics.fixed_sample import Difference, detectable_difference, holm
from sleep_tune.statistics.schedule import LEVEL
from tests.results.worlds import World

SEEDS = (3, 5, 10, 20)
POINTS = 2.0
GRID = (0.0, 0.0, 0.0, 0.5, 1.0, 1.5, POINTS, 3.0, 4.0, 6.0, 8.0)
"""True differences, in points: three arms that differ in nothing, then ever better ones."""

WORLDS = {
    "calm": World(groups=67, items=50, of_seed=0.01, of_seed_in_group=0.1, of_rest=0.5),
    "noisy": World(groups=67, items=50),
}

HEADINGS = (
    "seeds",
    "nothing there",
    "three arms",
    "2 points",
    "of three arms",
    "80% told from",
    "as notes say",
    "covered",
)


def main(tables: int) -> None:
    """Simulate and print; seeds and items crossed."""
    print(f"{tables:,} tables a row; 67 paradigms x 50 pairs; two-sided level {LEVEL}, after Holm where arms are three")
    for name, world in WORLDS.items():
        shifts = [shift_of(world, points) for points in GRID]
        runs, _ = world.table(np.random.default_rng(0), 1000, (0.0,))
        print(f"\n{name}: one recipe's mean scatters by {runs[0].mean(axis=1).std(ddof=1):.2f} points over seeds")
        print("  ".join(HEADINGS))
        for seeds in SEEDS:
            rng, made, truths = np.random.default_rng(seeds), [], []
            for _ in range(tables):
                table, truth = world.table(rng, seeds, (0.0, *shifts))
                made.append([crossed_difference(rows, table[0], world.group_I) for rows in table[1:]])
                truths.append(truth)
            cells = row(made, truths)
            print("  ".join(cell.rjust(len(head)) for cell, head in zip((str(seeds), *cells), HEADINGS, strict=True)))


def row(made: list[list[Difference]], truths: list[np.ndarray]) -> list[str]:
    """One line's cells."""
    p_TA = np.array([[one.p for one in table] for table in made], dtype=np.float64)
    better = GRID.index(POINTS)
    family = [holm([*table[:3]]) for table in p_TA]
    mixed = [holm([table[0], table[1], table[better]]) for table in p_TA]
    power = dict(zip(GRID[2:], (p_TA[:, 2:] < LEVEL).mean(axis=0), strict=True))
    reach = np.mean([detectable_difference(table[better], LEVEL) or np.nan for table in made])
    covered = [
        one.low <= truth[at] - truth[0] <= one.high
        for table, truth in zip(made, truths, strict=True)
        for at, one in enumerate(table, 1)
        if one.low is not None and one.high is not None  # there is none where all seeds differ by the same amount
    ]
    found = float(np.interp(0.8, list(power.values()), list(power)))
    return [
        f"{np.mean(p_TA[:, :3] < LEVEL):.1%}",
        f"{np.mean([min(p) < LEVEL for p in family]):.1%}",
        f"{power[POINTS]:.1%}",
        f"{np.mean([p[2] < LEVEL for p in mixed]):.1%}",
        f"{found:.1f}",
        f"{reach:.1f}",
        f"{np.mean(covered):.1%}",
    ]


def shift_of(world: World, points: float) -> float:
    """The shift of the latent score that is worth so many points, over the worlds there could be."""

    def gap(shift: float) -> float:
        return world.expected(shift) - world.expected(0.0) - points

    return float(brentq(gap, -1e-9, 5.0)) if points else 0.0


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
