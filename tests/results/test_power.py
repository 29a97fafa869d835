"""Statistical power: the formula against statsmodels and against simulated tables, and what the notes say of it."""

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.power import TTestPower

from sleep_tune.results.comparison import compare
from sleep_tune.results.notes import is_power_note
from sleep_tune.statistics.crossed_design import crossed_difference
from sleep_tune.statistics.fixed_sample import Difference, detectable_difference
from sleep_tune.statistics.schedule import LEVEL
from tests.results.conftest import SyntheticLog, has_note
from tests.results.worlds import World

PRINTED = Path(__file__).parents[1] / "benchmarks" / "bench_power.txt"


def precise(error: float, freedom: float) -> Difference:
    return Difference(0.0, -1.0, 1.0, 0.5, 5, error, freedom)


@pytest.mark.parametrize("count", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_the_smallest_difference_is_statsmodels(count: int, level: float) -> None:
    least = detectable_difference(precise(1.0, count - 1), level)
    assert least is not None
    assert TTestPower().power(least / math.sqrt(count), nobs=count, alpha=level) == pytest.approx(0.8, abs=1e-4)


def test_many_degrees_of_freedom_are_the_normal_laws() -> None:
    normal = scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)
    assert detectable_difference(precise(0.5, 1e9), 0.05) == pytest.approx(0.5 * normal, rel=1e-4)


def test_without_scatter_or_with_one_seed_no_power_is_computed() -> None:
    assert detectable_difference(precise(0.0, 4), 0.05) is None
    assert detectable_difference(Difference(1.0, None, None, None, 1), 0.05) is None
    with pytest.raises(ValueError, match=r"got 1.5"):
        detectable_difference(precise(1.0, 4), 1.5)


def test_a_true_difference_of_two_points_is_detected_as_often_as_predicted(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """At 5 seeds that scatter by about 0.7 points, as published checkpoints of one recipe do; the power is printed."""
    world = World(groups=40, items=30, of_seed=0.01, of_seed_in_group=0.05, of_rest=0.2)
    rng, tables = np.random.default_rng(5), 300
    shift = 2.0 / (world.expected(0.5) - world.expected(-0.5))
    runs, _ = world.table(rng, 200, (0.0,))
    assert runs[0].mean(axis=1).std(ddof=1) == pytest.approx(0.7, abs=0.1)
    detected, errors, gaps = 0, [], []
    for _ in range(tables):
        table, truth = world.table(rng, 5, (0.0, shift))
        made = crossed_difference(table[1], table[0], world.group_I)
        assert made.p is not None
        assert made.error is not None
        detected += made.p < LEVEL
        errors.append(made.error**2)
        gaps.append(truth[1] - truth[0])
    needed = scipy.stats.t.ppf(1 - LEVEL / 2, 4)
    predicted = scipy.stats.nct.sf(needed, 4, np.mean(gaps) / np.sqrt(np.mean(errors)))
    power = f"{detected / tables:.0%} of {tables} tables; by the formula {predicted:.0%}"
    record_property("power at 2 points and 5 seeds", power)
    with capsys.disabled():
        sys.stdout.write(f"\npower at 2 points and 5 seeds: {power}\n")
    assert np.mean(gaps) == pytest.approx(2.0, abs=0.1)
    assert detected / tables == pytest.approx(predicted, abs=0.07)


def test_the_printed_power_is_there_for_every_number_of_seeds() -> None:
    """What bench_power.py printed: level kept, intervals covering, power rising with seeds."""
    worlds = PRINTED.read_text().split("\n\n")[1:]
    assert len(worlds) == 2
    for world in worlds:
        rows = [re.findall(r"[\d.]+", line) for line in world.splitlines()[2:] if line]
        assert [int(row[0]) for row in rows] == [3, 5, 10, 20]
        numbers = np.array([[float(cell) for cell in row[1:]] for row in rows])
        nothing, three, power, among, least, _, covered = numbers.T
        error = 100 * 3 * math.sqrt(LEVEL * (1 - LEVEL) / 1000)
        assert (nothing <= 5 + error).all()
        assert (three <= 5 + error).all()
        assert (np.abs(covered - 95) <= 2).all()
        assert (np.diff(power) >= 0).all()
        assert (among <= power).all()
        assert (np.diff(least) < 0).all()


@pytest.mark.parametrize("controls", [(), ("as_epochs", "shuffled")])
def test_the_notes_say_what_was_within_reach_where_nothing_is_claimed(
    log: SyntheticLog, controls: tuple[str, ...]
) -> None:
    """Every arm that is tested raises the difference that can be detected after Holm correction."""
    log.open()
    for seed, noise in enumerate((0.01, -0.02, 0.005)):
        log.run("epochs", seed, 2.0 + seed / 50, 0.8)
        log.run("t0001", seed, 2.0 + seed / 50 + noise, 0.8, role="finalist")
        for control in controls:
            log.run(control, seed, 2.0 + seed / 50 - 2 * noise, 0.8)
    comparison = compare(log.folder)
    least = detectable_difference(comparison.arms[-1].contrasts["test/nll"].difference, LEVEL / (1 + len(controls)))
    assert has_note(comparison, "power", "3 seeds", "80%", f"test nll of {least:.3f} nats per token")
    assert sum(map(is_power_note, comparison.notes)) == 1


def test_where_a_difference_is_claimed_the_notes_are_silent_on_what_could_have_been(log: SyntheticLog) -> None:
    log.open()
    for seed, noise in enumerate((0.001, -0.002, 0.0005)):
        log.run("epochs", seed, 2.0 + seed / 50, 0.8)
        log.run("t0001", seed, 1.9 + seed / 50 + noise, 0.8, role="finalist")
    assert not any(map(is_power_note, compare(log.folder).notes))
