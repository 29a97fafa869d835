"""Contrasts: which test speaks at an endpoint, the families of correction, and how often a table claims what is not."""

import functools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.arms import Arm
from sleep_tune.results.contrasts import add_contrasts
from sleep_tune.results.verdict import is_claim
from sleep_tune.statistics.crossed_design import crossed_difference
from sleep_tune.statistics.fixed_sample import estimate_mean, holm, paired_difference
from tests.results.worlds import World

PRIMARY, OTHER, THIRD = "babylm/blimp_fast", "babylm/ewok_fast", "babylm/entity_tracking_fast"


@functools.cache
def _index(groups: tuple[int, ...]) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([groups, range(len(groups))], names=["uid", "id"])


def arm(
    name: str, rows_SI: np.ndarray, group_I: np.ndarray, *, endpoint: str = PRIMARY, with_items: bool = True
) -> Arm:
    index = _index(tuple(group_I.tolist()))
    scores = [pd.Series(row, index=index) for row in rows_SI]
    sizes = np.bincount(group_I)
    values = {endpoint: {seed: float((np.bincount(group_I, row) / sizes).mean()) for seed, row in enumerate(rows_SI)}}
    return Arm(
        name=name,
        kind="baseline" if name == "epochs" else "finalist",
        parameters={},
        seeds=tuple(range(len(rows_SI))),
        unfinished=(),
        failures={},
        values=values,
        estimates={key: estimate_mean(list(by_seed.values())) for key, by_seed in values.items()},
        answers={endpoint: dict(enumerate(scores))} if with_items else {},
    )


def arms_of(
    world: World, rng: np.random.Generator, effects: tuple[float, ...], *, with_items: bool = True
) -> list[Arm]:
    table, _ = world.table(rng, 5, effects)
    names = ["epochs", *(f"t{number:04d}" for number in range(1, len(effects)))]
    return [arm(name, rows, world.group_I, with_items=with_items) for name, rows in zip(names, table, strict=True)]


def test_items_are_crossed_with_seeds_where_both_arms_kept_them() -> None:
    world = World()
    arms = arms_of(world, np.random.default_rng(0), (0.0, 0.2))
    (_, sleep) = add_contrasts(arms, "epochs", (PRIMARY,))
    made = sleep.contrasts[PRIMARY]
    tables = [np.array([row.to_numpy() for row in one.answers[PRIMARY].values()]) for one in arms]
    assert made.difference == crossed_difference(tables[1], tables[0], world.group_I)
    assert (made.items, made.groups) == (300, 20)
    assert made.p_flip is not None
    assert made.p_flip >= 2 / 2**5


def test_without_items_the_seeds_alone_speak() -> None:
    arms = arms_of(World(), np.random.default_rng(0), (0.0, 0.2), with_items=False)
    made = add_contrasts(arms, "epochs", (PRIMARY,))[1].contrasts[PRIMARY]
    assert made.difference == paired_difference(
        list(arms[1].values[PRIMARY].values()), list(arms[0].values[PRIMARY].values())
    )
    assert made.items is None


def test_items_that_do_not_make_the_score_are_left_alone() -> None:
    """Entity tracking with splits of unequal sizes, for one: the mean over groups is not its score."""
    arms = arms_of(World(), np.random.default_rng(0), (0.0, 0.2))
    arms[1].values[PRIMARY][0] += 0.01  # type: ignore[index]
    assert add_contrasts(arms, "epochs", (PRIMARY,))[1].contrasts[PRIMARY].items is None


def test_one_seed_has_the_groups_error_and_no_p() -> None:
    rng = np.random.default_rng(1)
    group_I = np.arange(67)
    arms = [arm("epochs", rng.normal(60, 20, (1, 67)), group_I), arm("t0001", rng.normal(55, 20, (1, 67)), group_I)]
    made = add_contrasts(arms, "epochs", (PRIMARY,))[1].contrasts[PRIMARY]
    gaps = arms[1].answers[PRIMARY][0] - arms[0].answers[PRIMARY][0]
    assert made.difference.error == pytest.approx(gaps.std(ddof=1) / math.sqrt(67))
    assert (made.difference.p, made.p_holm, made.p_flip) == (None, None, None)


@pytest.mark.parametrize("with_items", [True, False])
def test_seeds_are_paired_by_their_number_in_whatever_order_runs_ended(with_items: bool) -> None:
    baseline, sleep = arms_of(World(), np.random.default_rng(0), (0.0, 0.2), with_items=with_items)
    reordered = replace(
        baseline, values={key: dict(reversed(list(by_seed.items()))) for key, by_seed in baseline.values.items()}
    )
    (_, expected), (_, made) = (add_contrasts([first, sleep], "epochs", (PRIMARY,)) for first in (baseline, reordered))
    assert made.contrasts == expected.contrasts


def test_the_primary_endpoint_is_a_family_and_all_others_another() -> None:
    rng = np.random.default_rng(2)
    endpoints = (PRIMARY, OTHER, THIRD)
    measured = [arms_of(World(), rng, (0.0, 0.1, 0.2)) for _ in endpoints]
    merged = [
        replace(arms[0], values={key: arm.values[PRIMARY] for key, arm in zip(endpoints, arms, strict=True)})
        for arms in zip(*measured, strict=True)
    ]
    made = add_contrasts(merged, "epochs", endpoints)[1:]
    for family in ((PRIMARY,), (OTHER, THIRD)):
        found = [one.contrasts[endpoint] for endpoint in family for one in made]
        assert [one.p_holm for one in found] == pytest.approx(holm([one.difference.p or 0.0 for one in found]))


def test_equality_is_tested_at_the_primary_endpoint_where_a_smallest_difference_was_named() -> None:
    arms = arms_of(World(of_seed_in_group=0.05), np.random.default_rng(3), (0.0, 0.0))
    assert add_contrasts(arms, "epochs", (PRIMARY,))[1].contrasts[PRIMARY].p_equal is None
    wide = add_contrasts(arms, "epochs", (PRIMARY,), smallest=20.0)[1].contrasts[PRIMARY].p_equal
    assert wide is not None
    assert wide < 0.05


def test_published_rows_and_a_missing_baseline_have_no_contrasts() -> None:
    arms = arms_of(World(), np.random.default_rng(4), (0.0, 0.5))
    assert all(not one.contrasts for one in add_contrasts(arms, "nobody", (PRIMARY,)))


@pytest.mark.parametrize("with_items", [True, False])
def test_tables_without_a_true_difference_claim_one_no_more_often_than_the_level_says(with_items: bool) -> None:
    """1,000 tables of three arms against epochs, all of one law; binomial error on top of 5%."""
    rng, claims, number = np.random.default_rng(8), 0, 1000
    world = World(groups=10, items=8)
    for _ in range(number):
        made = add_contrasts(arms_of(world, rng, (0.0,) * 4, with_items=with_items), "epochs", (PRIMARY,))
        claims += any(is_claim(one, PRIMARY) for one in made)
    assert claims / number <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / number)
    assert claims > 0
