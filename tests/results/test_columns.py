"""Columns: their order, how numbers are written, and the shortest names of settings."""

import math
from typing import Any

import pytest

from sleep_tune.results.columns import (
    COLUMNS,
    column,
    cut_difference,
    estimate_metric,
    short_names,
    sort_metrics,
    value_range,
)
from sleep_tune.results.comparison import compare
from sleep_tune.results.table_files import tidy
from sleep_tune.statistics.fixed_sample import Difference, Estimate, estimate_mean


def test_columns_come_in_the_tables_order_and_others_by_name() -> None:
    given = ["words_seen", "test/pairs/b", "test/nll", "test/pairs/a"]
    assert sort_metrics(given) == ["test/nll", "words_seen", "test/pairs/a", "test/pairs/b"]
    assert sort_metrics(reversed(COLUMNS)) == list(COLUMNS)


def test_babylm_s_scores_stand_between_measures_and_costs_the_average_first() -> None:
    scores = ["babylm/macro", "babylm/blimp_fast", "babylm/reading_eye_tracking", "babylm/zorro", "babylm/someone_s"]
    given = ["words_seen", "ties/zorro", *reversed(scores), "test/nll"]
    assert sort_metrics(given) == ["test/nll", *scores, "words_seen", "ties/zorro"]
    assert [column(key).heading for key in scores[:4]] == ["macro average", "BLiMP fast", "eye tracking", "Zorro"]
    assert column("babylm/blimp_filtered").heading == "BLiMP"
    assert (column("babylm/blimp_fast").better, column("babylm/comps").unit) == ("max", "points")


def test_a_metric_outside_the_table_has_its_own_name() -> None:
    assert column("test/blimp").heading == "test blimp"


@pytest.mark.parametrize(
    ("key", "number", "text"),
    [
        ("test/nll", 2.34567, "2.346"),
        ("test/pseudo_perplexity", 9.987, "9.99"),
        ("test/pseudo_perplexity", 123.45, "123.5"),
        ("test/pseudo_perplexity", 12345.6, "12,346"),
        ("test/pseudo_perplexity", 4.85e8, "4.85e08"),
        ("test/pairs_accuracy", 0.8964, "89.6"),
        ("babylm/blimp_fast", 59.4, "59.40"),
        ("words_seen", 99_999_872.0, "99,999,872"),
        ("flops", 9.71e15, "9.71e15"),
        ("gpu_hours", 0.01234, "0.0123"),
    ],
)
def test_numbers_are_written_as_people_read_them(key: str, number: float, text: str) -> None:
    assert column(key).write(number) == text


def test_settings_have_the_shortest_names_that_tell_them_apart() -> None:
    keys = ["sleep.folds", "sleep.replay.ratio", "sleep.length.ratio", "sleep.folds"]
    assert short_names(keys) == {
        "sleep.folds": "folds",
        "sleep.replay.ratio": "replay.ratio",
        "sleep.length.ratio": "length.ratio",
    }
    assert short_names([]) == {}
    assert short_names(["ratio", "sleep.ratio"]) == {"ratio": "ratio", "sleep.ratio": "sleep.ratio"}


SIGNED = ["babylm/macro", "babylm/wug_adj_nominalization", "babylm/reading_self_paced", "babylm/aoa"]
SHARES = ["babylm/blimp_fast", "babylm/wug_adj_nominalization_accuracy", "babylm/glue", "babylm/zorro", "ties/blimp"]


@pytest.mark.parametrize(
    ("key", "ends"),
    [
        *((key, (-100.0, 100.0)) for key in SIGNED),
        *((key, (0.0, 100.0)) for key in SHARES),
        ("test/pairs_accuracy", (0.0, 1.0)),
        ("test/pairs/agreement", (0.0, 1.0)),
        ("test/nll", (0.0, math.inf)),
        ("test/pseudo_perplexity", (1.0, math.inf)),
        ("gpu_hours", (0.0, math.inf)),
    ],
)
def test_intervals_are_cut_to_what_the_measure_can_be(key: str, ends: tuple[float, float]) -> None:
    low, high = value_range(key)
    assert (low, high) == ends
    scattered = estimate_metric(key, [low, high if math.isfinite(high) else low + 1])
    assert scattered.low == low
    assert scattered.high == high or math.isinf(high)
    assert estimate_metric(key, [low, low, low]) == Estimate(low, low, low, 3)
    width = high - low
    made = cut_difference(key, Difference(0.1, -width - 1, width + 1, 0.5, 5, 3.0, 4.0))
    assert (made.low, made.high, made.p, made.error) == (-width, width, 0.5, 3.0)


def test_without_an_interval_or_with_a_mean_out_of_range_nothing_is_cut() -> None:
    for values in ([50.0], [90.0, 120.0, 150.0]):
        assert estimate_metric("babylm/blimp_fast", values) == estimate_mean(values)
    for difference in (Difference(5.0, None, None, None, 1), Difference(150.0, 90.0, 210.0, 0.1, 3)):
        assert cut_difference("babylm/blimp_fast", difference) == difference


def test_no_accuracy_of_a_table_is_above_100(log: Any) -> None:
    """Two seeds at 99.8% and 94% gave [60.1, 133.7]."""
    log.open(objective={"metric": "eval/pairs_accuracy", "mode": "max"})
    for seed, accuracy in enumerate((0.998, 0.94)):
        log.run("epochs", seed, 2.0, 0.02 + seed / 50)
        log.run("t0001", seed, 2.0, accuracy, role="finalist")
    table = tidy(compare(log.folder))
    pairs = table[table["metric"] == "test/pairs_accuracy"]
    theirs, ours = pairs[pairs["arm"] == "epochs"].iloc[0], pairs[pairs["arm"] == "t0001"].iloc[0]
    assert (ours["high"], theirs["low"]) == (1.0, 0.0)
    assert ours["difference_low"] >= -1.0
    assert ours["difference_high"] <= 1.0
    assert column("test/pairs_accuracy").write(1.0) == "100.0"
