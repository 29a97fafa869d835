import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from sleep_tune.errors import ConfigError
from sleep_tune.sleep.selection import STRATEGIES, Strategy, checked, random, strict, weighted
from tests.messages import raises_naming

weights = st.lists(st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 1.0, 5e-324, 1e300])), min_size=1, max_size=40)


def alike(priorities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scores that tell no candidate from another."""
    return np.ones(len(priorities), np.float32)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
@given(data=st.data())
def test_every_strategy_takes_n_distinct_candidates(strategy: Strategy, data: st.DataObject) -> None:
    priorities = np.array(data.draw(weights))
    scores = np.array(data.draw(st.lists(st.floats(0, 9), min_size=len(priorities), max_size=len(priorities))))
    before = priorities.copy(), scores.copy()
    n = data.draw(st.integers(1, len(priorities)))
    chosen = strategy(priorities, scores, n, np.random.default_rng(data.draw(st.integers(0, 99))))
    assert len(set(chosen.tolist())) == n
    assert set(chosen.tolist()) <= set(range(len(priorities)))
    assert np.array_equal((priorities, scores), before)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_every_strategy_is_a_function_of_its_generator(strategy: Strategy) -> None:
    priorities = np.random.default_rng(0).random(500)
    first, second = (strategy(priorities, alike(priorities), 50, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, second)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.5]), st.integers(0, 3)), min_size=1, max_size=40), st.data())
def test_strict_takes_the_highest_then_the_highest_scores_then_the_first(
    candidates: list[tuple[float, int]], data: st.DataObject
) -> None:
    priorities, scores = (np.array(column, np.float64) for column in zip(*candidates, strict=True))
    n = data.draw(st.integers(1, len(candidates)))
    order = sorted(range(len(candidates)), key=lambda index: (-priorities[index], -scores[index], index))
    assert strict(priorities, scores, n, np.random.default_rng(0)).tolist() == sorted(order[:n])


@given(weights, st.data())
def test_where_every_score_is_the_same_strict_takes_the_highest_and_ties_by_index(
    priorities: list[float], data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(priorities)))
    values = np.array(priorities)
    wanted = sorted(range(len(priorities)), key=lambda index: (-priorities[index], index))[:n]
    assert strict(values, alike(values), n, np.random.default_rng(0)).tolist() == sorted(wanted)


def counted(
    strategy: Strategy, priorities: list[float], n: int, draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """How often each candidate was chosen."""
    values = np.array(priorities)
    return np.bincount(
        np.concatenate([strategy(values, alike(values), n, rng) for _ in range(draws)]), minlength=len(priorities)
    )


def exact_distribution(priorities: list[float], n: int) -> dict[tuple[int, ...], float]:
    """Probability of every set of n, drawn one after another in proportion to the priorities that are left."""
    result: dict[tuple[int, ...], float] = {}
    for order in itertools.permutations(range(len(priorities)), n):
        probability, left = 1.0, sum(priorities)
        for index in order:
            probability *= priorities[index] / left
            left -= priorities[index]
        key = tuple(sorted(order))
        result[key] = result.get(key, 0.0) + probability
    return result


@pytest.mark.parametrize(("priorities", "n"), [([5.0, 3.0, 1.0, 0.5, 0.1], 2), ([8.0, 4.0, 2.0, 1.0, 1.0], 3)])
def test_weighted_draws_sets_with_their_exact_probabilities(priorities: list[float], n: int) -> None:
    draws = 10_000
    rng = np.random.default_rng(3)
    values = np.array(priorities)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(draws):
        key = tuple(weighted(values, alike(values), n, rng).tolist())
        counts[key] = counts.get(key, 0) + 1
    wanted = exact_distribution(priorities, n)
    assert math.isclose(sum(wanted.values()), 1)
    statistic = sum((counts.get(key, 0) - draws * p) ** 2 / (draws * p) for key, p in wanted.items())
    assert statistic < chi2.ppf(0.999, len(wanted) - 1)


def test_weighted_includes_candidates_as_often_as_it_should() -> None:
    """Inclusion, candidate by candidate, within 4 standard errors; a wrong law (p proportional) is far outside."""
    priorities, n, draws = [8.0, 4.0, 2.0, 1.0, 1.0], 3, 10_000
    rng = np.random.default_rng(4)
    included = counted(weighted, priorities, n, draws, rng) / draws
    exact = exact_distribution(priorities, n)
    for index in range(5):
        wanted = sum(probability for chosen, probability in exact.items() if index in chosen)
        assert abs(included[index] - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / draws)


@given(st.integers(1, 20), st.integers(0, 20), st.data())
def test_weighted_takes_empty_candidates_last(positive: int, empty: int, data: st.DataObject) -> None:
    priorities = np.array([1e-310] * positive + [0.0] * empty)
    n = data.draw(st.integers(1, positive + empty))
    chosen = weighted(priorities, alike(priorities), n, np.random.default_rng(0))
    assert np.count_nonzero(chosen < positive) == min(n, positive)


def test_weighted_draws_empty_candidates_uniformly() -> None:
    rng = np.random.default_rng(0)
    counts = counted(weighted, [1.0, 0, 0, 0, 0], 3, 4000, rng)
    assert counts.tolist() == pytest.approx([4000, 2000, 2000, 2000, 2000], abs=150)


def test_random_ignores_the_priorities() -> None:
    rng = np.random.default_rng(0)
    counts = counted(random, [1e9, 1, 0, 1], 2, 4000, rng)
    assert counts.tolist() == pytest.approx([2000] * 4, abs=150)


def test_weighted_has_no_limit_of_two_to_the_24() -> None:
    """torch.multinomial refuses more categories; here the rare hard ones at the end are found."""
    priorities = np.full((1 << 24) + 10, 1e-12)
    priorities[-5:] = 1.0
    chosen = weighted(priorities, alike(priorities), 5, np.random.default_rng(0))
    assert chosen.tolist() == list(range((1 << 24) + 5, (1 << 24) + 10))


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_a_sound_strategy_is_checked_without_a_change(strategy: Strategy) -> None:
    priorities = np.arange(20.0)
    rngs = [np.random.default_rng(0) for _ in range(2)]
    plain, same = (
        one(priorities, alike(priorities), 6, rng)
        for one, rng in zip((strategy, checked(strategy, "a:b")), rngs, strict=True)
    )
    assert plain.tolist() == same.tolist()


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (None, "got None"),
        ([0, 1, 2], "list"),
        (np.arange(4), "(4,)"),
        (np.arange(3.0), "float64"),
        (np.ones(20, np.bool_), "bool"),
        (np.arange(3)[:, None], "(3, 1)"),
        (np.array([0, 1, 20]), "0 to 20"),
        (np.array([-1, 1, 2]), "-1 to 2"),
        (np.array([5, 5, 2]), "1 of them repeated"),
    ],
)
def test_what_is_no_buffer_is_refused(result: object, found: str) -> None:
    strategy: Strategy = lambda *_: result  # type: ignore[assignment]  # noqa: E731
    with raises_naming(ConfigError, "my_lab.replay:middle", "3", "19", found):
        checked(strategy, "my_lab.replay:middle")(np.ones(20), np.ones(20), 3, np.random.default_rng(0))
