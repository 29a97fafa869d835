"""Normalisations beside slow ones that count and average in plain Python."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep import normalisation
from sleep_tune.sleep.normalisation import NORMALISATIONS, Normalisation, inverse_ranks, z_scores

finite = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)  # their distances from a mean are float32 too
candidates = st.lists(st.tuples(finite, st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40)


def slow_ranks(values: list[float]) -> list[float]:
    """Rank of each value, 1 for the highest; equal values have the mean of the ranks that they take up together."""
    higher = [sum(other > value for other in values) for value in values]
    equal = [sum(other == value for other in values) for value in values]
    return [before + (count + 1) / 2 for before, count in zip(higher, equal, strict=True)]


def slow_z_scores(values: list[float], groups: list[int]) -> list[float]:
    """Distance of each value from the mean of its group, in the group's standard deviations."""
    result = []
    for value, group in zip(values, groups, strict=True):
        members = [other for other, its in zip(values, groups, strict=True) if its == group]
        mean = math.fsum(members) / len(members)
        spread = statistics.pstdev(members)
        result.append((value - mean) / spread if spread else 0.0)
    return result


@given(st.lists(st.one_of(finite, st.sampled_from([0.0, -0.0, 1.0, -1.0])), min_size=1, max_size=60))
def test_equal_values_share_the_mean_of_their_ranks(values: list[float]) -> None:
    assert inverse_ranks(np.array(values, np.float32)).tolist() == [1 / rank for rank in slow_ranks(values)]


@pytest.mark.parametrize("block", [1, 2, 7, 100])
def test_blocks_of_candidates_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of equal values, of which many lie across the end of a block."""
    rng = np.random.default_rng(block)
    for size in (1, 2, 99, 100):
        values, groups = rng.integers(0, 9, size).astype(np.float32), rng.integers(0, 4, size)
        monkeypatch.setattr(normalisation, "BLOCK", 2**18)
        ranks, scores = inverse_ranks(values), z_scores(values, groups)
        monkeypatch.setattr(normalisation, "BLOCK", block)
        assert np.array_equal(inverse_ranks(values), ranks)
        assert np.allclose(z_scores(values, groups), scores, atol=1e-6)


def test_ranks_of_numbers_far_apart() -> None:
    values = np.array([-3e38, 3e38, 1e-45, -1e-45, 0.0, -0.0, -2.0, 2.0], np.float32)
    assert (1 / inverse_ranks(values)).round(6).tolist() == [8, 1, 3, 6, 4.5, 4.5, 7, 2]


@given(candidates)
def test_z_scores_are_within_their_group(given: list[tuple[float, int, int]]) -> None:
    values, groups, _ = (list(column) for column in zip(*given, strict=True))
    result = z_scores(np.array(values, np.float32), np.array(groups, np.int32))
    for group in set(groups):
        members = [z for z, its in zip(result.tolist(), groups, strict=True) if its == group]
        assert abs(math.fsum(members)) < 1e-3
    spread = max(abs(value) for value in values) or 1.0
    for mine, wanted, value in zip(result.tolist(), slow_z_scores(values, groups), values, strict=True):
        if abs(value) > 1e-3 * spread:  # the others may be lost in the rounding of the sums
            assert mine == pytest.approx(wanted, abs=1e-3)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_every_normalisation_equals_the_slow_one(given: list[tuple[int, int, int]]) -> None:
    """Z-scores of two groups may be equal but for rounding: their ranks are then those of equals, or of neighbours."""
    values, cycles, sources = (list(column) for column in zip(*given, strict=True))
    numbers = [float(value) for value in values]
    arrays = np.array(values, np.float32), np.array(cycles, np.int32), np.array(sources, np.int16)
    assert NORMALISATIONS["none"](*arrays) is arrays[0]
    assert NORMALISATIONS["rank"](*arrays).tolist() == [1 / rank for rank in slow_ranks(numbers)]
    for name, groups in (("cycle", cycles), ("source", sources)):
        wanted = slow_z_scores(numbers, groups)
        for z, inverse in zip(wanted, NORMALISATIONS[name](*arrays).tolist(), strict=True):
            above = sum(other > z + 1e-5 for other in wanted)
            not_below = sum(other >= z - 1e-5 for other in wanted)
            assert above + 1 - 1e-9 <= 1 / inverse <= not_below + 1e-9


@pytest.mark.parametrize("normalisation", [NORMALISATIONS[name] for name in NORMALISATIONS if name != "none"])
def test_values_of_any_sign_become_positive_and_stay_themselves(normalisation: Normalisation) -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=99).astype(np.float32), np.arange(99, dtype=np.int32) % 5
    before = values.copy()
    result = normalisation(values, groups, groups.astype(np.int16))
    assert result.min() > 0
    assert result.max() <= 1
    assert np.array_equal(values, before)


def test_scale_and_shift_of_a_group_change_nothing() -> None:
    """The point of z-scores: a cycle near ln V, or a hard source, is not above the others as a whole."""
    rng = np.random.default_rng(1)
    values, groups = rng.normal(size=300), rng.integers(0, 4, 300).astype(np.int32)
    moved = values * np.array([1.0, 5.0, 0.1, 2.0])[groups] + np.array([0.0, 100.0, -3.0, 9.0])[groups]
    none = np.zeros(300, np.int16)
    assert np.allclose(NORMALISATIONS["cycle"](values, groups, none), NORMALISATIONS["cycle"](moved, groups, none))
