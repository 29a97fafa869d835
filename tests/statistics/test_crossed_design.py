"""Seeds crossed with items: against formulas worked by hand, the Multi-Bootstrap, and worlds whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.statistics.crossed_design import crossed_difference, crossed_mean
from sleep_tune.statistics.fixed_sample import estimate_mean, holm, paired_difference
from tests.results.worlds import World

SHAPES = st.tuples(st.integers(2, 6), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2**32 - 1))


def drawn(shape: tuple[int, list[int], int]) -> tuple[np.ndarray, np.ndarray]:
    seeds, sizes, seed = shape
    group_I = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).normal(size=(seeds, group_I.size)), group_I


@given(SHAPES)
def test_the_mean_counts_every_group_the_same(shape: tuple[int, list[int], int]) -> None:
    values_SI, group_I = drawn(shape)
    found = crossed_mean(values_SI, group_I)
    assert found is not None
    by_hand = np.mean([values_SI[:, group_I == group].mean() for group in np.unique(group_I)])
    assert found.mean == pytest.approx(by_hand)
    assert 0 <= found.seed_share <= 1
    assert found.freedom >= len(values_SI) - 1 - 1e-9


@given(SHAPES)
def test_the_interval_is_never_narrower_than_what_the_seeds_alone_say(shape: tuple[int, list[int], int]) -> None:
    """In its standard error: with items at random the degrees of freedom may be more."""
    values_SI, group_I = drawn(shape)
    found = crossed_mean(values_SI, group_I)
    means = [np.mean([row[group_I == group].mean() for group in np.unique(group_I)]) for row in values_SI]
    seeds_alone = paired_difference(means, np.zeros(len(means)))
    assert found is not None
    assert seeds_alone.error is not None
    assert math.sqrt(found.variance) >= seeds_alone.error * (1 - 1e-9)


def test_items_that_all_say_the_same_leave_the_seeds_own_interval() -> None:
    by_seed = np.array([1.0, 3.0, 2.5, 1.5])
    difference = crossed_difference(np.repeat(by_seed[:, None], 12, axis=1), np.zeros((4, 12)), np.arange(12) % 3)
    expected = estimate_mean(by_seed)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_seeds_that_all_say_the_same_leave_the_items_scatter() -> None:
    row = np.array([0.0, 1.0, 2.0, 5.0, 7.0, 9.0])
    found = crossed_mean(np.repeat(row[None, :], 3, axis=0), np.array([0, 0, 0, 1, 1, 1]))
    assert found is not None
    assert found.variance == pytest.approx((np.var(row[:3], ddof=1) / 3 + np.var(row[3:], ddof=1) / 3) / 4)
    assert found.seed_share == 0


@pytest.mark.parametrize("names", [[5, 5, 9, 9], [0, 0, 1, 1]])
def test_groups_may_bear_any_numbers(names: list[int]) -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert crossed_mean(values, np.array(names)) == crossed_mean(values, np.array([0, 0, 1, 1]))


def multi_bootstrap(table_SI: np.ndarray, group_I: np.ndarray, rng: np.random.Generator, replicates: int) -> np.ndarray:
    """Means of tables whose seeds, and items within their groups, are drawn again (Sellam et al. 2022, section 4)."""
    seeds, groups = len(table_SI), [np.flatnonzero(group_I == group) for group in np.unique(group_I)]
    means = np.empty(replicates)
    for number in range(replicates):
        rows_SI = table_SI[rng.integers(seeds, size=seeds)]
        means[number] = np.mean([rows_SI[:, rng.choice(own, len(own))].mean() for own in groups])
    return means


def test_the_multi_bootstrap_scatters_as_the_formula_and_twice_the_residual() -> None:
    """Owen (2007): resampling both ways counts the residual three times, where it is there once."""
    rng = np.random.default_rng(3)
    seeds, items = 40, 40
    group_I = np.repeat([0, 1], items // 2)
    table = rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 1, items) + rng.normal(0, 2.0, (seeds, items))
    found = crossed_mean(table, group_I)
    assert found is not None
    residual = 2.0**2 / (seeds * items)
    spread = multi_bootstrap(table, group_I, rng, 4000).var()
    shrunk = found.variance * (1 - 1 / seeds)  # a bootstrap divides by n, not by n - 1; items by about as much
    assert spread == pytest.approx(shrunk + 2 * residual, rel=0.06)


def test_one_seed_supports_no_interval() -> None:
    difference = crossed_difference(np.ones((1, 4)), np.zeros((1, 4)), np.arange(4))
    assert (difference.mean, difference.low, difference.high, difference.p) == (1.0, None, None, None)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"finite values of shape \(seeds, 3 items\); got shape \(2, 4\)"):
        crossed_mean(np.zeros((2, 4)), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match=r"one shape; got \(2, 3\) and \(3, 3\)"):
        crossed_difference(np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3, dtype=int))


@pytest.mark.parametrize("world", [World(), World(of_seed_in_group=0.05, of_seed=0.0), World(of_seed=0.2)])
def test_intervals_cover_what_they_say(world: World) -> None:
    """Over new seeds and new items of the same groups; within 95% +- 2, whichever scatter prevails."""
    rng = np.random.default_rng(11)
    covered, number = 0, 1000
    for _ in range(number):
        table, truth = world.table(rng, 5, (0.0, 0.08))
        difference = crossed_difference(table[1], table[0], world.group_I)
        assert difference.low is not None
        assert difference.high is not None
        covered += difference.low <= truth[1] - truth[0] <= difference.high
    assert covered / number == pytest.approx(0.95, abs=0.02)


@given(SHAPES)
def test_no_claim_is_bolder_than_what_the_seeds_alone_say(shape: tuple[int, list[int], int]) -> None:
    """In its interval and its p too, however the degrees of freedom fall out."""
    values_SI, group_I = drawn(shape)
    difference = crossed_difference(values_SI, np.zeros_like(values_SI), group_I)
    means = [np.mean([row[group_I == group].mean() for group in np.unique(group_I)]) for row in values_SI]
    alone = paired_difference(means, np.zeros(len(means)))
    assert difference.low is not None
    assert alone.low is not None
    assert difference.low <= alone.low + 1e-9
    assert (difference.p or 0.0) >= (alone.p or 0.0) - 1e-9
    assert (difference.low > 0 or (difference.high or 0.0) < 0) == ((difference.p or 0.0) < 0.05)


def test_three_arms_over_three_seeds_claim_what_is_not_there_no_more_often_than_the_level_says() -> None:
    rng, claims, number = np.random.default_rng(3), 0, 300
    world = World(groups=10, items=40, of_seed=0.01, of_seed_in_group=0.1, of_rest=0.5)
    for _ in range(number):
        table, _truth = world.table(rng, 3, (0.0,) * 4)
        claims += min(holm([crossed_difference(rows, table[0], world.group_I).p or 0.0 for rows in table[1:]])) < 0.05
    assert claims / number <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / number)


@pytest.mark.parametrize(("arms", "seeds", "sizes"), [(2, 3, (4, 4)), (2, 2, (6, 6)), (3, 3, (5,)), (2, 6, (2,))])
def test_null_tables_whose_seeds_coincide_claim_nothing(arms: int, seeds: int, sizes: tuple[int, ...]) -> None:
    """Few items give few possible means. With p from the items alone, 131 of 290 such tables claimed a difference."""
    rng, found, claims = np.random.default_rng(2), 0, 0
    group_I = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(1500):
        right = rng.random((arms, seeds, group_I.size)) < rng.random((arms, 1, group_I.size)).round(1)
        table = 100.0 * right
        made = [crossed_difference(rows, table[0], group_I) for rows in table[1:]]
        if any(one.is_untested for one in made):
            found += 1
            claims += any((one.p or 0.0) < 0.05 for one in made if one.is_untested)
    assert found > 10
    assert claims / found <= 0.05


def test_seeds_that_coincide_but_for_rounding_are_not_tested() -> None:
    """Means over thirds of items differ in their last digits; t of those would be huge."""
    row = np.array([0.1, 0.2, 0.3, 0.7, 1.1, 1.3, 0.4])
    treated = np.array([row, row[[1, 0, 2, 3, 4, 5, 6]], row[[2, 1, 0, 3, 4, 5, 6]]]) * 100
    difference = crossed_difference(treated, np.zeros_like(treated), np.array([0, 0, 0, 1, 1, 1, 2]))
    assert (difference.p, difference.low, difference.is_untested) == (1.0, None, True)
