import math
from pathlib import Path

import pytest

from sleep_tune.search.monitor import wording


@pytest.mark.parametrize(
    ("total", "text"),
    [(0, "0"), (9_999, "9999"), (10_000, "10k"), (999_499, "999k"), (999_500, "1.0M"), (12_345_678, "12.3M")],
)
def test_words_are_short(total: int, text: str) -> None:
    assert wording.short_words(total) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00:00"), (59.6, "0:01:00"), (360_000, "4 d 4 h"), (359_999, "99:59:59")]
)
def test_durations_are_clocks_then_days(seconds: float, text: str) -> None:
    assert wording.clock_time(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (3.14159, "3.1416"), (1234.5, "1234.50"), (math.nan, "nan"), (-0.5, "-0.5000")]
)
def test_values_have_four_digits_or_two(value: float | None, text: str) -> None:
    assert wording.objective_value(value) == text


def test_paths_below_the_working_directory_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert wording.short_path(str(tmp_path / "results" / "x.log")) == "results/x.log"
    assert wording.short_path("/elsewhere/x.log") == "/elsewhere/x.log"
