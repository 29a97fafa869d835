"""Evidence that is read look by look: against scipy at one look, and its size under ways of looking."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.statistics.fixed_sample import equivalence_p, paired_difference, worst_rank_p
from sleep_tune.statistics.schedule import LEVEL, Schedule
from sleep_tune.statistics.sequential import sequential_difference, sequential_equivalence

PLANNED = Schedule((5, 8, 12))
NUMBERS = (1,) * 5 + (2,) * 3 + (3,) * 4 + (4,) * 8
PRINTED = Path(__file__).parents[1] / "benchmarks" / "bench_looks.txt"

samples = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def complete_looks(schedule: Schedule, seeds: int) -> int:
    return sum(seeds >= count for count in schedule.looks)


def p_at(values: np.ndarray, schedule: Schedule = PLANNED) -> float:
    """Return p of a table made as soon as these seeds have ended."""
    numbers = [complete_looks(schedule, seed) + 1 for seed in range(len(values))]
    p = sequential_difference(values, numbers, schedule, complete_looks(schedule, len(values))).difference.p
    assert p is not None
    return p


@given(samples, st.integers(2, 20), st.sampled_from([0.0, 0.1]))
def test_one_look_is_the_paired_t_test(rng: np.random.Generator, count: int, reserve: float) -> None:
    treated, reference = rng.normal(size=(2, count))
    schedule, numbers = Schedule((count,), reserve), (1,) * count
    found = sequential_difference(treated - reference, numbers, schedule, 1)
    theirs = scipy.stats.ttest_rel(treated, reference)
    assert found.difference.p == pytest.approx(float(theirs.pvalue), rel=1e-9)
    interval = theirs.confidence_interval(1 - schedule.level)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    margin = float(abs(reference[0])) + 0.1
    equal = sequential_equivalence(treated - reference, numbers, schedule, 1, margin)
    assert equal == pytest.approx(equivalence_p(paired_difference(treated, reference), margin), rel=1e-9)


@given(samples, st.integers(2, 20))
def test_without_a_reserve_one_look_is_the_table_of_a_fixed_number_of_seeds(
    rng: np.random.Generator, count: int
) -> None:
    treated, reference = rng.normal(size=(2, count))
    found = sequential_difference(treated - reference, (1,) * count, Schedule((count,), 0.0), 1)
    assert found.difference == paired_difference(treated, reference)


@settings(max_examples=30)
@given(samples, st.integers(2, 20), st.sampled_from([0.01, 100.0, -1.0]))
def test_neither_unit_nor_direction_changes_p(rng: np.random.Generator, seeds: int, unit: float) -> None:
    values = rng.normal(0.5, 1.0, seeds)
    assert p_at(unit * values) == pytest.approx(p_at(values), rel=1e-6)


@settings(max_examples=25)
@given(samples)
def test_p_never_rises_after_the_first_look(rng: np.random.Generator) -> None:
    values = rng.normal(0.5, 1.0, 20)
    p = [p_at(values[:seeds]) for seeds in range(5, 21)]
    assert all(after <= before for before, after in itertools.pairwise(p))


@given(samples, st.sampled_from([5, 8, 12, 15]), st.sampled_from([1, 4]))
def test_an_interval_leaves_0_out_where_its_look_decides(rng: np.random.Generator, seeds: int, tests: int) -> None:
    values = rng.normal(0.7, 1.0, seeds)
    complete = complete_looks(PLANNED, seeds)
    found = sequential_difference(values, NUMBERS[:seeds], PLANNED, complete, tests=tests)
    made = found.difference
    assert made.p is not None
    assert made.low is not None
    assert made.high is not None
    if not made.low <= 0 <= made.high:
        assert made.p <= PLANNED.level / tests * (1 + 1e-9)
    if found.look == complete and seeds == PLANNED.looks[complete - 1]:
        assert (made.p < PLANNED.level / tests) == (not made.low <= 0 <= made.high)


@pytest.mark.parametrize("schedule", [PLANNED, Schedule((4,), 0.5)], ids=str)
def test_reading_a_table_after_every_seed_claims_falsely_at_most_at_the_level(schedule: Schedule) -> None:
    """Whether the seeds belong to planned looks, to growth, or to a look that has not ended."""
    rng, tables = np.random.default_rng(3), 300
    claims = 0
    for _ in range(tables):
        values = rng.standard_normal(20)
        claims += any(p_at(values[:seeds], schedule) < schedule.level for seeds in (4, *range(5, 21, 3), 12))
    assert claims / tables <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / tables)


def test_the_intervals_of_all_looks_cover_together() -> None:
    rng, tables = np.random.default_rng(4), 300
    covered = 0
    for _ in range(tables):
        values = rng.normal(1.0, 0.5, 20)
        made = [
            sequential_difference(values[:n], NUMBERS[:n], PLANNED, complete_looks(PLANNED, n)).difference
            for n in (4, 5, 7, 8, 12, 16, 20)
        ]
        covered += all(one.low is None or one.high is None or one.low <= 1.0 <= one.high for one in made)
    assert covered / tables >= 1 - LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / tables)


def test_arms_at_the_margin_are_called_equal_at_most_at_the_level() -> None:
    rng, tables = np.random.default_rng(5), 1000
    called = 0
    for _ in range(tables):
        values = rng.normal(0.5, 0.2, 12)
        p = sequential_equivalence(values, NUMBERS[:12], PLANNED, 3, 0.5)
        assert p is not None
        called += p < PLANNED.level
    assert called / tables == pytest.approx(PLANNED.level, abs=3 * math.sqrt(LEVEL * (1 - LEVEL) / tables))


def test_a_look_counts_once_all_its_runs_have_ended() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.3, 12)
    first = sequential_difference(values[:5], NUMBERS[:5], PLANNED, 1)
    between = sequential_difference(values[:7], NUMBERS[:7], PLANNED, 1, settled=5)
    assert between == first
    assert sequential_difference(values[:5], NUMBERS[:5], PLANNED, 0).look is None


def test_only_seeds_before_the_first_that_still_runs_count_outside_looks() -> None:
    values = np.random.default_rng(0).normal(3.0, 0.3, 9)
    schedule = Schedule((20,))
    p = [sequential_difference(values, (1,) * 9, schedule, 0, settled=n).difference.p for n in (0, 3, 6, 9)]
    assert p[0] == 1.0
    assert p == sorted(p, reverse=True)  # type: ignore[type-var]
    assert p[-1] == p_at(values, schedule)
    assert p[-1] < p[2] < 1.0  # type: ignore[operator]


def test_an_arm_that_lost_seeds_is_judged_by_the_law_of_those_it_has() -> None:
    """4 of 5 seeds, then none that is new: the share of the second look goes to the third."""
    rng, tables = np.random.default_rng(6), 1000
    numbers = (1,) * 4 + (3,) * 4
    claims = 0
    for _ in range(tables):
        found = sequential_difference(rng.standard_normal(8), numbers, Schedule((5, 8, 12), 0.0), 3)
        assert found.look != 2
        assert found.difference.p is not None
        claims += found.difference.p < LEVEL
    assert claims / tables == pytest.approx(LEVEL, abs=3 * math.sqrt(LEVEL * (1 - LEVEL) / tables))


def test_a_look_with_fewer_than_two_differences_decides_nothing() -> None:
    found = sequential_difference([1.0], (1,), PLANNED, 1)
    assert (found.difference.p, found.look) == (None, None)
    later = sequential_difference([1.0, 1.1, 0.9, 1.05], (1, 2, 2, 2), PLANNED, 2)
    assert later.look == 2


def test_growth_without_a_reserve_decides_nothing() -> None:
    values = np.array([0.1, -0.2, 0.3, -0.1, 0.2, *np.linspace(5.0, 5.1, 15)])
    assert p_at(values, Schedule((5,), 0.0)) == pytest.approx(p_at(values[:5], Schedule((5,), 0.0)))
    assert p_at(values, Schedule((5,))) < p_at(values[:5], Schedule((5,)))


def test_a_study_from_before_reserves_keeps_its_first_p_and_may_grow() -> None:
    values = np.random.default_rng(1).normal(1.0, 1.0, 20)
    old, grown = Schedule((5,), 0.0), Schedule((5,), 0.1, overspent=True)
    assert grown.level == old.level == LEVEL
    assert p_at(values[:5], grown) == p_at(values[:5], old)
    assert p_at(values, grown) == pytest.approx(p_at(values, Schedule((5,), 0.1)) / 0.9)


@given(samples, st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, -1]))
def test_diverged_seeds_at_one_look_are_the_worst_ranks(
    rng: np.random.Generator, lost: int, won: int, better: int
) -> None:
    """An infinite outcome is a diverged run; `better` -1 is a loss, whose worst value is +inf."""
    values = rng.normal(0.5, 1.0, 12)
    outcomes = rng.permutation([*values, *[-better * math.inf] * lost, *[better * math.inf] * won])
    alone, ranks = paired_difference(values, np.zeros(12)).p, worst_rank_p(better * values, lost, won)
    assert alone is not None
    found = sequential_difference(outcomes, (1,) * outcomes.size, Schedule((20,), 0.0), 1, better=better)
    counts = (lost or won) and (won or better * values.mean() >= 0)
    assert found.difference.p == pytest.approx(max(alone, ranks) if counts else alone, rel=1e-9)
    assert found.difference.mean == pytest.approx(values.mean())


def test_ranks_of_diverged_seeds_share_the_level_of_the_looks() -> None:
    outcomes = np.array([-math.inf, *np.linspace(1.0, 2.0, 19)])
    found = sequential_difference(outcomes[:12], NUMBERS[:12], PLANNED, 3)
    increment = 1 - (8 / 12) ** 1.5
    assert found.difference.p == pytest.approx(worst_rank_p(outcomes[1:12], 1) / increment)
    grown = [sequential_difference(outcomes[:n], NUMBERS[:n], PLANNED, 3).difference.p for n in (14, 18, 20)]
    signs = 20 * 21 / 2**20 * PLANNED.level / PLANNED.growth_level  # 1 loss of 20: B(20, 2) = 1 / 420
    assert grown[-1] == pytest.approx(signs)
    assert grown[-1] < PLANNED.level  # type: ignore[operator]
    assert grown == sorted(grown, reverse=True)  # type: ignore[type-var]
    assert sequential_equivalence(outcomes, NUMBERS, PLANNED, 3, 100.0) == 1.0


def test_survivors_in_one_direction_and_signs_in_the_other_claim_nothing() -> None:
    outcomes = np.array([*[-math.inf] * 14, *np.linspace(1.0, 2.0, 6)])
    assert sequential_difference(outcomes, NUMBERS, PLANNED, 3).difference.p == 1.0


def test_equal_differences_are_not_tested() -> None:
    found = sequential_difference([0.3] * 12, NUMBERS[:12], PLANNED, 3)
    assert found.difference.is_untested
    assert found.difference.p == 1.0
    assert sequential_equivalence([0.3] * 12, NUMBERS[:12], PLANNED, 3, 1.0) == 1.0
    rounded = np.array([100.3 - 100.0, 50.3 - 50.0] * 6)
    assert sequential_difference(rounded, NUMBERS[:12], PLANNED, 3, scale=200.0).difference.p == 1.0
    late = np.array([0.3] * 11 + [0.3 + 1e-11])  # of values about 100
    assert sequential_difference(late, (4,) * 12, PLANNED, 0, scale=200.0).difference.p == 1.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="not decreasing"):
        sequential_difference([1.0, 2.0], (2, 1), PLANNED, 1)
    with pytest.raises(ValueError, match="at least one of them finite"):
        sequential_difference([math.inf], (1,), PLANNED, 1)
    with pytest.raises(ValueError, match=r"\[0, 3\]; got 4"):
        sequential_difference([1.0, 2.0], (1, 1), PLANNED, 4)
    with pytest.raises(ValueError, match="above 0; got -1"):
        sequential_equivalence([1.0, 2.0], (1, 1), PLANNED, 1, -1)
    with pytest.raises(ValueError, match="200"):
        Schedule((5, 201))
    for looks in ((), (1, 3), (5, 5), (8, 5)):
        with pytest.raises(ValueError, match="increasing"):
            Schedule(looks)
    with pytest.raises(ValueError, match=r"\[0, 0.5\]; got 0.6"):
        Schedule((5,), 0.6)


def test_the_printed_simulations_keep_the_level_and_save_runs() -> None:
    """What bench_looks.py printed: false claims for normal differences, and runs saved at a paired sd of 1.0."""
    printed = PRINTED.read_text()
    tables = int(re.findall(r"([\d,]+) tables", printed)[0].replace(",", ""))
    error = 3 * math.sqrt(LEVEL * (1 - LEVEL) / tables)
    planned = [re.findall(r"([\d.]+)%", line) for line in printed.splitlines() if line.startswith("planned ")]
    assert len(planned) == 6
    for row in planned:
        assert all(float(share) / 100 <= LEVEL + error for share in row[:6])
    saved = [line.split() for line in printed.splitlines() if re.match(r" +[14] +1\.0 ", line)]
    assert len(saved) == 4
    assert all(float(row[-1].strip("%")) >= 15 for row in saved)
