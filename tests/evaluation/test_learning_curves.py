"""Ages of acquisition from curves of known ages."""

import math
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.errors import DataError
from sleep_tune.evaluation.learning_curves import (
    AGES,
    CHANCE_WORDS,
    child_age,
    compare_ages,
    model_age,
    read_children,
    sigmoid,
)

SEEN = [1e6 * n for n in (*range(1, 10), *range(10, 101, 10))]


def shares(age: float) -> np.ndarray:
    return sigmoid(np.array(AGES, dtype=float), 1.0, 0.6, age, 0.0)


def surprisals(log_words: float, best: float = 2.0) -> list[float]:
    """Nats that fall from chance to their best, halfway at 10^log_words words."""
    chance = np.log2(CHANCE_WORDS)
    fallen = sigmoid(np.log10(np.array(SEEN) + 1), chance - best, 6.0, log_words, 0.0)
    return [float(chance - value) for value in fallen]


def test_a_word_is_learnt_where_its_curve_is_halfway() -> None:
    assert child_age(shares(21.5)) == pytest.approx(21.5, abs=1e-3)
    assert model_age(surprisals(6.8), SEEN) == pytest.approx(6.8, abs=0.01)


def test_no_age_where_the_curve_never_gets_halfway_or_does_so_out_of_sight() -> None:
    assert child_age(0.4 * shares(21)) is None
    assert child_age(np.full(len(AGES), np.nan)) is None
    assert child_age(np.r_[0.1, 0.9, np.full(len(AGES) - 2, np.nan)]) is None
    assert model_age([12.0] * len(SEEN), SEEN) is None
    assert model_age(surprisals(5.0), SEEN) is None
    assert model_age([math.nan] * len(SEEN), SEEN) is None
    assert model_age([3.0, 2.0], SEEN[:2]) is None


def test_gaps_are_left_out() -> None:
    holes = shares(20.0)
    holes[::4] = np.nan
    assert child_age(holes) == pytest.approx(20.0, abs=1e-2)
    gaps = surprisals(7.0)
    gaps[3] = math.nan
    assert model_age(gaps, SEEN) == pytest.approx(7.0, abs=0.02)


def test_agreement_is_a_correlation_over_the_words_that_both_have() -> None:
    ages = {"ball": (18.0, 6.4), "dog": (20.0, 6.7), "why": (27.0, 7.4), "idea": (24.0, 7.1)}
    children = {word: shares(age) for word, (age, _) in ages.items()} | {"never": 0.3 * shares(20)}
    curves = {word: (surprisals(when), SEEN) for word, (_, when) in ages.items()}
    curves |= {"never": curves["dog"], "unknown": curves["dog"], "flat": ([9.0] * len(SEEN), SEEN)}
    found = compare_ages(curves, children | {"flat": shares(20.0)})
    assert found.words == tuple(ages)
    assert found.correlation == pytest.approx(np.corrcoef(found.model, found.children)[0, 1])
    assert found.correlation > 0.99
    few = compare_ages({"dog": curves["dog"], "why": curves["why"]}, children)
    assert few.correlation == 0.0 and math.isnan(few.p_value) and few.words == ("dog", "why")


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
