"""Intervals end where a measure does, in the table as in the CSV."""

import math
from typing import Any

import pytest

from sleep_tune.results.columns import column
from sleep_tune.results.comparison import compare
from sleep_tune.results.ranges import cut_difference, cut_estimate, value_range
from sleep_tune.results.statistics import Difference, Estimate
from sleep_tune.results.table_files import tidy

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
    mean = min(high, low + 0.5)
    assert cut_estimate(key, Estimate(mean, low - 1, high + 1, 5)) == Estimate(mean, low, high, 5)
    assert cut_estimate(key, Estimate(mean, mean, mean, 5)) == Estimate(mean, mean, mean, 5)
    width = high - low
    made = cut_difference(key, Difference(0.1, -width - 1, width + 1, 0.5, 5, 3.0, 4.0))
    assert (made.low, made.high, made.p, made.error) == (-width, width, 0.5, 3.0)


def test_without_an_interval_or_with_a_mean_out_of_range_nothing_is_cut() -> None:
    for estimate in (Estimate(50.0, None, None, 1), Estimate(120.0, 90.0, 150.0, 3)):
        assert cut_estimate("babylm/blimp_fast", estimate) == estimate
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
