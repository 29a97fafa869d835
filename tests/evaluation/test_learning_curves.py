"""Ages of acquisition from curves of known ages."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.errors import DataError
from sleep_tune.evaluation.learning_curves import (
    AGE_RULES,
    AGES,
    AgeRules,
    child_age,
    compare_ages,
    model_age,
    read_children,
    sigmoid,
)

CHANCE = 18.0
"""Nats of a word for a random model."""
RULES = pytest.mark.parametrize("rules", AGE_RULES.values(), ids=AGE_RULES)

SEEN = [1e6 * n for n in (*range(1, 10), *range(10, 101, 10))]


def shares(age: float) -> np.ndarray:
    return sigmoid(np.array(AGES, dtype=float), 1.0, 0.6, age, 0.0)


def surprisals(log_words: float, best: float = 2.0) -> list[float]:
    """Nats that fall from chance to their best, halfway at 10^log_words words."""
    fallen = sigmoid(np.log10(np.array(SEEN) + 1), CHANCE - best, 6.0, log_words, 0.0)
    return [float(CHANCE - value) for value in fallen]


def age(surprisal: Sequence[float], rules: AgeRules, seen: Sequence[float] = SEEN) -> float | None:
    return model_age(surprisal, seen, chance=CHANCE, rules=rules)


def test_each_protocol_has_rules() -> None:
    assert list(AGE_RULES) == list(PROTOCOLS)


@RULES
def test_a_word_is_learnt_where_its_curve_is_halfway(rules: AgeRules) -> None:
    assert child_age(shares(21.5)) == pytest.approx(21.5, abs=1e-3)
    assert age(surprisals(6.8), rules) == pytest.approx(6.8, abs=0.01)


@RULES
def test_no_age_where_the_curve_never_gets_halfway_or_does_so_out_of_sight(rules: AgeRules) -> None:
    assert child_age(0.4 * shares(21)) is None
    assert child_age(np.full(len(AGES), np.nan)) is None
    assert child_age(np.r_[0.1, 0.9, np.full(len(AGES) - 2, np.nan)]) is None
    assert age([12.0] * len(SEEN), rules) is None
    assert age(surprisals(5.0), rules) is None
    assert age([math.nan] * len(SEEN), rules) is None
    assert age([3.0, 2.0], rules, SEEN[:2]) is None


@RULES
def test_gaps_are_left_out(rules: AgeRules) -> None:
    holes = shares(20.0)
    holes[::4] = np.nan
    assert child_age(holes) == pytest.approx(20.0, abs=1e-2)
    gaps = surprisals(7.0)
    gaps[3] = math.nan
    assert age(gaps, rules) == pytest.approx(7.0, abs=0.02)


@RULES
def test_agreement_is_a_correlation_over_the_words_that_both_have(rules: AgeRules) -> None:
    ages = {"ball": (18.0, 6.4), "dog": (20.0, 6.7), "why": (27.0, 7.4), "idea": (24.0, 7.1)}
    children = {word: shares(month) for word, (month, _) in ages.items()} | {"never": 0.3 * shares(20)}
    curves = {word: (surprisals(when), SEEN) for word, (_, when) in ages.items()}
    curves |= {"never": curves["dog"], "unknown": curves["dog"], "flat": ([9.0] * len(SEEN), SEEN)}
    found = compare_ages(curves, children | {"flat": shares(20.0)}, chance=lambda _: CHANCE, rules=rules)
    assert found.words == tuple(ages)
    assert found.correlation == pytest.approx(np.corrcoef(found.model, found.children)[0, 1])
    assert found.score == found.correlation > 0.99
    few = compare_ages({"dog": curves["dog"], "why": curves["why"]}, children, chance=lambda _: CHANCE, rules=rules)
    assert few.score == few.correlation == 0.0 and math.isnan(few.p_value) and few.words == ("dog", "why")


def test_the_children_s_file_is_read_with_gaps_and_refused_without_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "cdi_human.csv"
    path.write_text("word,16,17,30,31\nball,0.1,,0.9,1\nball,0,0,0,0\n", encoding="utf-8")
    (values,) = read_children(path).values()
    assert values[0] == 0.1 and np.isnan(values[1]) and values[-1] == 0.9
    path.write_text("item,16\nball,0.1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"cdi_human\.csv:1: .*'word'.* item, 16"):
        read_children(path)
    with pytest.raises(DataError, match=r"no\.csv.*CSV"):
        read_children(tmp_path / "no.csv")


@settings(max_examples=10)
@given(
    log_words=st.floats(6.1, 7.9),
    spread=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=4),
    missing=st.sets(st.integers(0, len(SEEN) - 1), max_size=3),
)
def test_averages_of_contexts_count_once(log_words: float, spread: list[float], missing: set[int]) -> None:
    """Contexts that lie evenly around a curve give its age, in any order; a checkpoint with a gap is left out."""
    rules, mean = AGE_RULES["2026"], surprisals(log_words)
    points = [
        (value + sign * off, seen) for value, seen in zip(mean, SEEN, strict=True) for off in spread for sign in (1, -1)
    ]
    points += [(math.nan, SEEN[n]) for n in missing]
    found = model_age(*zip(*reversed(points), strict=True), chance=CHANCE, rules=rules)
    kept = [(value, seen) for n, (value, seen) in enumerate(zip(mean, SEEN, strict=True)) if n not in missing]
    expected = model_age(*zip(*kept, strict=True), chance=CHANCE, rules=rules)
    assert found == pytest.approx(expected, abs=1e-4)


@settings(max_examples=5)
@given(st.lists(st.floats(0.0, 40.0), min_size=3, max_size=19), st.floats(1.0, 60.0))
def test_any_curve_has_an_age_within_the_checkpoints_or_none(values: list[float], chance: float) -> None:
    for rules in AGE_RULES.values():
        found = model_age(values, SEEN[: len(values)], chance=chance, rules=rules)
        assert found is None or SEEN[0] <= 10**found - 1 <= SEEN[len(values) - 1]


def test_a_correlation_that_chance_explains_counts_as_none() -> None:
    """By the rules of 2026; those of 2025 count each."""
    months = [17.0, 19.0, 21.0, 23.0, 25.0]
    children = {f"word{n}": shares(month) for n, month in enumerate(months)}
    curves = {f"word{n}": (surprisals(log), SEEN) for n, log in enumerate((6.6, 7.2, 6.5, 7.3, 6.7))}
    old, new = (compare_ages(curves, children, chance=lambda _: CHANCE, rules=rules) for rules in AGE_RULES.values())
    assert old.p_value > 0.1 and old.score == old.correlation != 0.0
    assert new.p_value > 0.1 and new.correlation == pytest.approx(old.correlation, abs=0.01) and new.score == 0.0
