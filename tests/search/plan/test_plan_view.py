"""Rounded figures."""

import pytest

from sleep_tune.search.plan.plan_view import rounded_count, rounded_size, rounded_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.04 s"),
        (12.4, "12 s"),
        (89, "89 s"),
        (90, "1.5 min"),
        (5000, "83 min"),
        (5400, "1.5 h"),
        (100_000, "28 h"),
        (1e6, "12 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert rounded_time(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(950.4, "950"), (64_509, "64,509"), (12_345_678, "12.3 M"), (6.13e9, "6.13 G"), (999.9e6, "1,000 M")],
)
def test_counts(number: float, text: str) -> None:
    assert rounded_count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "under 1 MB"),
        (1e6, "1 MB"),
        (3.2e6, "3.2 MB"),
        (76e6, "76 MB"),
        (123e6, "123 MB"),
        (2.5e12, "2,500 GB"),
        (1.5e9, "1.5 GB"),
    ],
)
def test_sizes(number: float, text: str) -> None:
    assert rounded_size(number) == text
