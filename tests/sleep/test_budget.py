import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sleep_tune.errors import BudgetError
from sleep_tune.sleep.budget import SleepPlan, plan_budget, to_fraction


def plan(**given: Any) -> SleepPlan:
    """1,000 samples of 10 words in 32 batches, 10 folds and 10 passes unless given."""
    budget = {} if {"budget_passes", "budget_words"} & set(given) else {"budget_passes": 10.0}
    settings = {"corpus_words": 10_000, "num_samples": 1000, "batch_size": 32, "folds": 10} | budget
    return plan_budget(**(settings | given))


@pytest.mark.parametrize(
    ("length", "ratio", "passes"),
    [
        ({"length_passes": 1.0}, 9, 1),
        ({"length_passes": 2.0}, 4, 2),
        ({"length_passes": 3.0}, Fraction(7, 3), 3),
        ({"length_passes": 10.0}, 0, 10),
        ({"length_ratio": 0.0}, 0, 10),
        ({"length_ratio": 0.5}, Fraction(1, 2), 20 / 3),
        ({"length_ratio": 0.1}, Fraction(1, 10), 100 / 11),
        ({"length_ratio": 9}, 9, 1),
    ],
)
def test_length_becomes_an_exact_ratio(length: dict[str, float], ratio: float | Fraction, passes: float) -> None:
    made = plan(**length)
    assert made.ratio == ratio
    assert made.passes == pytest.approx(passes)
    assert made.repeats is None
    assert made.sleeps is (ratio > 0)
    assert (made.budget_words, made.batches_per_pass) == (100_000, 32)


@given(st.integers(1, 10**9), st.floats(0.01, 1000, allow_nan=False))
def test_a_budget_of_passes_is_a_decimal_times_the_words(words: int, passes: float) -> None:
    assume(passes * words >= 2)
    made = plan(corpus_words=words, budget_passes=passes, length_ratio=0)
    assert made.budget_words == math.floor(to_fraction(passes) * words)


@given(st.integers(1, 10**8), st.integers(0, 300), st.integers(0, 300))
def test_the_largest_ratio_is_accepted_and_nothing_above(words: int, hundredths: int, more: int) -> None:
    """A budget of 1.5 x an odd number of words is floored, and r = 0.5 still fits it."""
    size, ratio = 1 + hundredths / 100, hundredths / 100
    assert plan(corpus_words=words, budget_passes=size, length_ratio=ratio).passes == pytest.approx(1)
    with pytest.raises(BudgetError, match=r"sleep.length.ratio must be at most"):
        plan(corpus_words=words, budget_passes=size, length_ratio=ratio + (more + 1) / 100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"length_ratio": -0.5}, r"sleep.length.ratio must be at least 0, no sleep; got -0.5"),
        ({"length_ratio": 9.5}, r"sleep.length.ratio must be at most 9, budget / corpus - 1.*got 9.5"),
        ({"length_passes": 0.5}, r"sleep.length.passes must be in \[1, 10\], whole passes.*got 0.5"),
        ({"length_passes": 11.0}, r"sleep.length.passes must be in \[1, 10\].*got 11"),
        ({"length_ratio": 1, "folds": 33}, r"sleep.folds must be in \[1, 32\].*1,000 samples are 32 batches of 32.*33"),
        ({"length_ratio": 1, "folds": 0}, r"sleep.folds must be in \[1, 32\].*got 0"),
        ({"length_repeats": 0.0}, r"sleep.length.repeats must be above 0; got 0"),
        ({"length_repeats": 9.1, "replay_ratio": 0.2}, r"sleep.length.repeats must be at most 8.182, .*got 9.1"),
        (
            {"length_repeats": 46.0, "replay_ratio": 0.2, "replay_scope": "fold"},
            r"sleep.length.repeats must be at most 45, for the first pass.*got 46",
        ),
        ({"budget_words": 9_999, "length_passes": 1.0}, r"0.9999 passes cannot hold one pass.*sleep.length.ratio=0"),
        ({"budget_words": 9_999, "length_ratio": 0.1}, r"cannot hold one pass and its sleep"),
        ({"budget_words": 9_999, "length_repeats": 1.0}, r"cannot hold one pass and its sleep"),
        ({"budget_words": 0, "length_ratio": 0}, r"budget.words must hold at least one word; got 0"),
        ({"budget_passes": 1e-9, "length_ratio": 0}, r"budget.passes must hold at least one word; got 1e-09"),
        ({"length_ratio": 0, "corpus_words": 0}, r"corpus_words must be at least 1; got 0"),
        ({}, r"exactly one of sleep.length.passes, sleep.length.ratio, sleep.length.repeats .*got none"),
        ({"length_ratio": 1, "length_passes": 1}, r"got sleep.length.passes, sleep.length.ratio"),
        ({"length_ratio": 1, "budget_passes": 1, "budget_words": 1}, r"exactly one of budget.passes, budget.words"),
    ],
)
def test_what_the_budget_cannot_hold_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        plan(**given)


@pytest.mark.parametrize("number", [0.1, 1.1 - 1, 0.3 / 3])
def test_a_float_means_its_decimal(number: float) -> None:
    assert to_fraction(number) == Fraction(1, 10)


def test_less_than_a_pass_is_allowed_without_sleep() -> None:
    assert plan(budget_words=2_500, length_ratio=0).passes == 0.25
    assert plan(budget_passes=0.25, length_passes=0.25).ratio == 0


@pytest.mark.parametrize(("scope", "first", "later"), [("seen", 5.5, 10), ("fold", 1, 1)])
def test_repeats_expect_passes_when_the_buffers_are_known(scope: str, first: float, later: float) -> None:
    made = plan(length_repeats=2.0, replay_ratio=0.2, replay_scope=scope)
    assert made.ratio is None
    assert made.passes == pytest.approx(1 + (9 - 2 * 0.2 * first) / (1 + 2 * 0.2 * later))
    assert plan(length_repeats=2.0).passes is None


@given(st.fractions(0, 20), st.integers(0, 10**9), st.integers(0, 10**9))
def test_sleep_continues_until_its_share_of_words(ratio: Fraction, seen: int, read: int) -> None:
    made = SleepPlan(10, 10, 10, 1, 10, 1, ratio=ratio, repeats=None, passes=None)
    continues = made.sleep_continues(words_seen=seen, words_read_awake=read, rows_replayed=0, rows_chosen=0)
    assert continues is (seen < (1 + ratio) * read)


@given(st.floats(0.1, 20), st.integers(0, 10**9), st.integers(0, 10**9))
def test_sleep_continues_until_its_buffers_were_repeated(repeats: float, replayed: int, chosen: int) -> None:
    made = SleepPlan(10, 10, 10, 1, 10, 1, ratio=None, repeats=repeats, passes=None)
    continues = made.sleep_continues(words_seen=0, words_read_awake=0, rows_replayed=replayed, rows_chosen=chosen)
    assert continues is (replayed < to_fraction(repeats) * chosen)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"length_ratio": 0}, "100,000 words (10 x the corpus of 10,000): 10 passes without sleep"),
        (
            {"length_passes": 1},
            "100,000 words (10 x the corpus of 10,000): 1 pass, 10 folds a pass, 9 words asleep per word awake; "
            "ends after sleep 10",
        ),
        (
            {"length_ratio": 0.5},
            "100,000 words (10 x the corpus of 10,000): 6.667 passes, 10 folds a pass, 0.5 words asleep per word "
            "awake; 66 cycles, then ends awake in pass 7, fold 7",
        ),
        (
            {"length_ratio": 1, "budget_words": 31_700, "folds": 1},
            "31,700 words (3.17 x the corpus of 10,000): 1.585 passes, 1 fold a pass, 1 words asleep per word awake; "
            "1 cycle, then ends asleep in pass 2, fold 1",
        ),
        (
            {"length_repeats": 1.0, "replay_ratio": 0.2},
            "100,000 words (10 x the corpus of 10,000): about 3.633 passes, 10 folds a pass, each buffer replayed "
            "1 time",
        ),
        (
            {"length_repeats": 2.5},
            "100,000 words (10 x the corpus of 10,000): 10 folds a pass, each buffer replayed 2.5 times",
        ),
    ],
)
def test_a_plan_describes_itself(given: dict[str, Any], sentence: str) -> None:
    assert plan(**given).describe() == sentence
